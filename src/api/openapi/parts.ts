/** Fields that several shapes of answers share. */
import { z } from 'zod'
import { LIFECYCLE } from '#domains/lifecycle.ts'
import type { DomainStatus } from '#domains/types.ts'
import { components } from './schema.ts'

export const instant = z.iso.datetime()
export const answerFields = { success: z.literal(true), message: z.string() }
export const done = z.object(answerFields).register(components, { id: 'Done' })
export const url = z.string().describe('A path on this server.')

const STATUSES = [
  'PENDING',
  'DNS_CONFIGURING',
  'DNS_PENDING',
  'SERVICES_CONFIGURING',
  'ACTIVE',
  'FAILED',
] as const satisfies readonly DomainStatus[]

export const domainStatus = z.enum(STATUSES).register(components, { id: 'DomainStatus' })
export const stage = z.enum(LIFECYCLE.map(({ met }) => met)).register(components, { id: 'Stage' })

export const domainFields = { domain_id: z.uuid(), domain_name: z.string() }
export const pagination = z
  .object({
    page: z.int(),
    limit: z.int(),
    total: z.int(),
    pages: z.int(),
    has_next: z.boolean(),
    has_prev: z.boolean(),
    next_cursor: z
      .uuid()
      .nullable()
      .optional()
      .describe('Send it as `cursor` to read the next page; null on the last page.'),
    total_is_estimate: z.boolean().optional(),
  })
  .register(components, { id: 'Pagination' })
