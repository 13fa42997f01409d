/** When a domain's DMARC policy can become stricter, or must become weaker. Pure. */
import type { DmarcPolicy } from '#policy/dmarc.ts'
import { days } from '../clock.ts'

/** What one day's aggregate reports say of a source of mail. */
export type ReportedMail = {
  day: Date
  source: string
  /** Whether the source is one of the domain's own sending accounts. */
  isKnown: boolean
  messages: number
  /** Those of `messages` that passed DMARC: SPF or DKIM passed, for an aligned domain. */
  aligned: number
}

export type PolicyProposal = { policy: DmarcPolicy; since: Date; evidence: PolicyEvidence }

export type PolicyEvidence = {
  messages: number
  aligned: number
  /** Sources that are none of the domain's own sending accounts: the first 20. */
  unknownSources: readonly string[]
}

/** A shorter time can miss mail that is sent once a month. */
const OBSERVED_MS = days(30)
/** Forwarders break some aligned mail, so that a share of 1 is never reached. */
const ALIGNED_SHARE = 0.98
/** Below this, one message decides about the share. */
const FEWEST_MESSAGES = 100
/** A loss shows sooner than trust is earned. */
const LOSS_OBSERVED_MS = days(7)
/** Between this share and `ALIGNED_SHARE` the policy stays, so that it does not change back and forth. */
const LOST_SHARE = 0.9
/** A forger can send from any number of sources. */
const SOURCES_SHOWN = 20

const STRICTER: Partial<Record<DmarcPolicy, DmarcPolicy>> = {
  none: 'quarantine',
  quarantine: 'reject',
}
const WEAKER: Partial<Record<DmarcPolicy, DmarcPolicy>> = {
  reject: 'quarantine',
  quarantine: 'none',
}

/**
 * The next policy, one step from `policy`, which is published since `publishedAt`; undefined: it stays.
 * Reports of days before that do not count: they show nothing about this policy.
 */
export function proposedPolicy(
  policy: DmarcPolicy,
  publishedAt: Date,
  reported: readonly ReportedMail[],
  now: Date,
): PolicyProposal | undefined {
  const within = (ms: number): PolicyEvidence & { since: Date } => {
    const since = new Date(Math.max(publishedAt.getTime(), now.getTime() - ms))
    return { since, ...evidenceOf(reported.filter(({ day }) => day >= since && day <= now)) }
  }
  const weaker = WEAKER[policy]
  const { since: lossSince, ...loss } = within(LOSS_OBSERVED_MS)
  if (weaker && isLost(ownMail(reported, lossSince, now)))
    return { policy: weaker, since: lossSince, evidence: loss }
  const stricter = STRICTER[policy]
  const { since, ...evidence } = within(OBSERVED_MS)
  const isObserved = now.getTime() - publishedAt.getTime() >= OBSERVED_MS
  return stricter && isObserved && isTrusted(evidence)
    ? { policy: stricter, since, evidence }
    : undefined
}

/** Only the domain's own mail can be lost: a forger's mail is to fail. */
const ownMail = (reported: readonly ReportedMail[], since: Date, now: Date): PolicyEvidence =>
  evidenceOf(reported.filter(({ day, isKnown }) => isKnown && day >= since && day <= now))

const isTrusted = ({ messages, aligned, unknownSources }: PolicyEvidence): boolean =>
  messages >= FEWEST_MESSAGES && aligned >= messages * ALIGNED_SHARE && unknownSources.length === 0

const isLost = ({ messages, aligned }: PolicyEvidence): boolean =>
  messages >= FEWEST_MESSAGES && aligned < messages * LOST_SHARE

function evidenceOf(reported: readonly ReportedMail[]): PolicyEvidence {
  const sum = (of: (mail: ReportedMail) => number) =>
    reported.reduce((total, mail) => total + of(mail), 0)
  const unknown = reported.filter(({ isKnown }) => !isKnown).map(({ source }) => source)
  return {
    messages: sum(({ messages }) => messages),
    aligned: sum(({ aligned }) => aligned),
    unknownSources: [...new Set(unknown)].slice(0, SOURCES_SHOWN),
  }
}
