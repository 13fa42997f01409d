import type { NeededRecord } from '#drivers/records.ts'
import type { NewEvent } from '#events/catalogue.ts'
import { isAnswer, type ParentAnswer } from '#resolver/parent.ts'
import type { OwnedRecord, Ports } from './ports.ts'
import type { ConditionType, DelegationReport, Domain, Verdict } from './types.ts'

/** One walk along the stages: the domain as it was when taken, and what the stages tell each other. */
export type Pass = {
  domain: Domain
  ports: Ports
  signal: AbortSignal
  /** What each mail service asked for in this very pass; the records stage merges it. */
  needs: Map<ConditionType, readonly NeededRecord[]>
  /** The localparts of inboxes that a service refused in this very pass. */
  refused: Set<string>
  /** What stays in the zone when the domain's records are removed. */
  kept: readonly OwnedRecord[]
  /** What the parent said before the zone was made; asked once in a pass. */
  saidBefore?: readonly ParentAnswer[]
  /** Since when a redirect is wanted whose records are not seen from outside. */
  redirectUnseenSince?: Date
  /** Something waits for its records: so long after they are seen from outside it wants another look. */
  lookOnceSeenMs?: number
  /** What the parent was seen to show in this pass. */
  report: (report: DelegationReport) => void
  /** What was done in this pass that its domain's timeline should tell. */
  tell: (event: NewEvent) => void
}

/** The code of a stage. Both acts are safe to repeat and to kill. */
export type Step = {
  /** What must be waited for before anything is made: undefined when nothing is in the way. */
  gate?(pass: Pass): Promise<Verdict | undefined>
  /** Makes it so, as far as it is ours to make, and says how it stands. Throws when it could not look. */
  ensure(pass: Pass): Promise<Verdict>
  /** Takes away what `ensure` made. Absent for steps that make nothing elsewhere. */
  remove?(pass: Pass): Promise<void>
}

/** The parent's servers gave no answer that can be believed: nothing is known that was not known before. */
export class CouldNotAsk extends Error {
  override readonly name = 'CouldNotAsk'

  constructor(name: string, why = `The servers above ${name} do not answer at the moment.`) {
    super(why)
  }
}

/** What the parent says before the zone is made. While it cannot be asked, nothing is made. */
export async function askBefore(pass: Pass): Promise<readonly ParentAnswer[]> {
  const { domain, ports, signal } = pass
  if (pass.saidBefore) return pass.saidBefore
  const { answers } = await ports.observer.look(domain.name, 'one', 'asked', signal)
  if (!answers.some(isAnswer)) throw new CouldNotAsk(domain.name)
  pass.saidBefore = answers
  return answers
}

export const met: Verdict = { is: 'met' }

export const waiting = (reason: string, message: string): Verdict => ({
  is: 'waiting',
  reason,
  message,
})

export const failed = (reason: string, message: string): Verdict => ({
  is: 'failed',
  reason,
  message,
})
