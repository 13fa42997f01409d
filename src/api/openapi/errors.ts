/** The shape of an error. */
import { z } from 'zod'
import { components } from './schema.ts'

export const refusal = z
  .looseObject({
    detail: z.string().describe('A sentence, for people.'),
    error: z.string().describe('The stable code, for programs.'),
  })
  .register(components, { id: 'Problem' })

export const violations = z
  .object({
    detail: z.array(
      z.object({
        loc: z
          .array(z.union([z.string(), z.int()]))
          .describe(
            'The place of the field: `body`, `query`, `path` or `header`, then the names and indexes that lead to it.',
          ),
        msg: z.string().describe('A sentence, for people.'),
        type: z.string().describe('The stable kind, for programs.'),
      }),
    ),
  })
  .register(components, { id: 'Violations' })
