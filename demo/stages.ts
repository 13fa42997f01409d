/** The stages of a domain's life, worded for its user. */
import type { Row } from './screen.ts'
import type { Condition, Domain } from './shapes.ts'

const WORDS: Readonly<Record<string, string>> = {
  zone_ready: 'Our nameservers answer for the domain',
  delegated: 'Its parent zone delegates it to exactly this pair',
  sender_registered: 'The sender service has a key to sign its mail with',
  mail_domain_ready: 'The mailbox service takes its mail',
  records_published: 'MX, SPF, DKIM and DMARC are seen from outside',
  sender_verified: 'The sender service has checked them itself',
  mail_proven: 'A message went out, came in, and was authentic',
}

export type StageTime = { type: string; isMet: boolean; ms: number }

/**
 * How long each stage took, and the first one not met so far. A stage begins when the one before is met;
 * the delegation, which is up to the customer, when the parent has published it.
 */
export function stageTimes(
  { conditions, created_at }: Domain,
  publishedAt: number,
  now: number,
): StageTime[] {
  const unmet = conditions.findIndex((condition) => !isMet(condition))
  const reached = unmet === -1 ? conditions : conditions.slice(0, unmet + 1)
  return reached.map((condition, index) => {
    const before = index === 0 ? created_at : reached[index - 1]!.since!
    const from = condition.type === 'delegated' ? publishedAt : Date.parse(before)
    const to = isMet(condition) ? Date.parse(condition.since!) : now
    return { type: condition.type, isMet: isMet(condition), ms: to - from }
  })
}

export const isMet = ({ status }: Condition): boolean =>
  status === 'met' || status === 'not_applicable'

export function stageRows(domain: Domain, publishedAt: number): Row[] {
  const times = stageTimes(domain, publishedAt, Date.now())
  return domain.conditions.map(({ type }, index) => {
    const time = times[index]
    const text = WORDS[type] ?? type
    return { text, is: time ? (time.isMet ? 'done' : 'now') : 'later', ms: time?.ms }
  })
}

/** When a condition was met, in milliseconds of the time of day. */
export function metAt({ conditions }: Domain, type: string): number {
  return Date.parse(conditions.find((condition) => condition.type === type)?.since ?? '')
}
