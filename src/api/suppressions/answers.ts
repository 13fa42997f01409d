/** The shapes of answers about suppressions. */
import { z } from 'zod'
import { answerFields, instant } from '../openapi/parts.ts'
import { components } from '../openapi/schema.ts'

const suppressionFields = {
  suppression_id: z.uuid(),
  email_address: z.string().nullable().describe('Null once the address is erased.'),
  reason: z.enum(['bounced', 'complained', 'unsubscribed', 'manual']),
  origin: z.enum(['message', 'api', 'import']).describe('`message`: a bounce or a complaint.'),
  detail: z.string().describe('The reply or report that caused it.'),
  created_at: instant,
}
const suppression = z.object(suppressionFields).register(components, { id: 'Suppression' })

export const suppressionShown = z
  .object({ ...answerFields, ...suppressionFields })
  .register(components, { id: 'SuppressionShown' })

export const suppressionList = z
  .object({
    ...answerFields,
    suppressions: z.array(suppression),
    next_cursor: z.uuid().nullable(),
  })
  .register(components, { id: 'SuppressionList' })

export const suppressionRemoved = z
  .object({ ...answerFields, suppression_id: z.uuid() })
  .register(components, { id: 'SuppressionRemoved' })

export const suppressionsImported = z
  .object({
    ...answerFields,
    total: z.int(),
    added_count: z.int(),
    known_count: z.int().describe('Addresses that the list had already, or named twice.'),
    invalid: z
      .array(z.object({ row: z.int().describe('Its place, from 0.'), message: z.string() }))
      .describe('Rows that are no address, at most 100 of them.'),
    invalid_count: z.int(),
  })
  .register(components, { id: 'SuppressionsImported' })
