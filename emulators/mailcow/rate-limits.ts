/** How much a domain or a mailbox may send. */
import type { Entry, Say, Write } from './entries.ts'
import { type Data, integer, list, text } from './php.ts'
import { type Mailcow, mailboxAt, type RateLimit } from './state.ts'

export type Scope = 'domain' | 'mailbox'

const isHere: Record<Scope, (mailcow: Mailcow, object: string) => boolean> = {
  domain: (mailcow, object) => mailcow.domains.has(object.toLowerCase()),
  mailbox: (mailcow, object) => mailboxAt(mailcow, object) !== undefined,
}

export const editRateLimit =
  (scope: Scope): Write =>
  (mailcow, data, say) =>
    list(data.object).map((object) => editOne(mailcow, scope, text(object), data, say))

function editOne(mailcow: Mailcow, scope: Scope, object: string, data: Data, say: Say): Entry {
  const value = integer(data.rl_value)
  const frame = text(data.rl_frame)
  if (!['s', 'm', 'h', 'd'].includes(frame)) return say('danger', 'rl_timeframe')
  if (!isHere[scope](mailcow, object)) return say('danger', 'access_denied')
  if (value === 0) mailcow.rateLimits.delete(object.toLowerCase())
  else mailcow.rateLimits.set(object.toLowerCase(), { value: String(value), frame })
  return say('success', ['rl_saved', object])
}

export function rateLimitOf(mailcow: Mailcow, scope: Scope, object: string): RateLimit | undefined {
  return isHere[scope](mailcow, object) ? mailcow.rateLimits.get(object.toLowerCase()) : undefined
}

/** The limits of all that have one, each with its name. */
export function rateLimitsOf(mailcow: Mailcow, scope: Scope): unknown[] {
  const names = scope === 'domain' ? mailcow.domains.keys() : mailcow.mailboxes.keys()
  return [...names].flatMap((name) => {
    const limit = rateLimitOf(mailcow, scope, name)
    return limit ? [{ ...limit, [scope]: name }] : []
  })
}
