/** Pieces of request and answer that several routes share. */
import { z } from 'zod'
import { isAddress } from '#names/localpart.ts'
import { Invalid } from './problems.ts'

/** A UUID; case does not matter (RFC 9562 section 4). */
export const id = z.uuid('value is not a valid uuid').toLowerCase()
export const domainParams = z.object({ domain_id: id })
export const inboxParams = z.object({ inbox_id: id })

const wholeNumber = (fallback: number, low: number, high: number) =>
  z.preprocess(
    (value) =>
      value === undefined
        ? fallback
        : typeof value === 'string' && /^-?\d{1,15}$/.test(value)
          ? Number(value)
          : value,
    z.int().min(low).max(high),
  )

/** 1 to 100. */
export const limitOf = (fallback: number) => wholeNumber(fallback, 1, 100)

/** Where a list continues: the id of the last item seen. */
export const cursor = z
  .uuid('value is not a valid uuid')
  .toLowerCase()
  .optional()
  .describe('The `next_cursor` of a page, to read the page after it.')

/** `page` from 1, `limit` 1 to 100. */
export const paging = { page: wholeNumber(1, 1, 1_000_000), limit: wholeNumber(20, 1, 100) }

export const threadParams = z.object({ thread_id: id })

export const keyParams = z.object({ key_id: id })

/** Of an outgoing message. */
export const messageParams = z.object({ message_id: id })

export const optionalText = z.string().max(255).optional()

/** `true`, `false`, `1` or `0` in a query. */
export const optionalTruth = z
  .enum(['true', 'false', '1', '0'])
  .transform((written) => written === 'true' || written === '1')
  .optional()

/** The pagination block of a list of `total` items. */
export function pagination({ page, limit }: { page: number; limit: number }, total: number) {
  const pages = Math.ceil(total / limit)
  return { page, limit, total, pages, has_next: page < pages, has_prev: page > 1 && pages > 0 }
}

/** Text for a header: no control characters (RFC 5322 section 2.2), and no half of a surrogate pair. */
export const headerText = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'control characters are not allowed')

/** Text of several lines that Postgres can hold: no U+0000, and no half of a surrogate pair. */
export const storableText = z.string().regex(/^[^\0\p{Cs}]*$/u, 'null characters are not allowed')

/** One address in its plain form. */
export const emailAddress = z
  .string()
  .max(254)
  .superRefine((written, check) => {
    if (isAddress(written)) return
    check.addIssue({
      code: 'custom',
      message: 'value is not a valid email address',
      params: { type: 'value_error.email' },
    })
  })
  .meta({ examples: ['someone@inbox.test'] })

/** A field of every answer that is no error. */
export const SUCCESS = { success: true } as const

/** A time in the future that a caller may set. Read with `readFutureTime`. */
export const futureTime = z
  .string()
  .max(40)
  .nullish()
  .meta({ examples: ['2099-12-31T00:00:00Z'] })

const ISO_8601 = z.iso.datetime({ offset: true })

/** The time in the body's `expires_at`; undefined for never. Throws `Invalid` for one in the past. */
export function readFutureTime(written: string | null | undefined, now: Date): Date | undefined {
  if (written === null || written === undefined) return undefined
  const end = ISO_8601.safeParse(written).success ? new Date(written) : undefined
  if (end && end > now) return end
  const msg = end ? 'must be a time in the future' : 'must be an ISO 8601 time with its zone'
  throw new Invalid([{ loc: ['body', 'expires_at'], msg, type: 'value_error.datetime' }])
}
