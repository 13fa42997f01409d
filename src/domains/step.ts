import type { NeededRecord } from '#drivers/records.ts'
import type { NewEvent } from '#events/catalogue.ts'
import { isAnswer, type ParentAnswer } from '#resolver/parent.ts'
import type { OwnedRecord, Ports } from './ports.ts'
import type { ConditionType, DelegationReport, Domain, Verdict } from './types.ts'

/** One walk along the stages: the domain as it was when taken, and what the stages share. */
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
  parentAnswers?: readonly ParentAnswer[]
  /** Since when a wanted redirect's records have not been seen from outside. */
  redirectUnseenSince?: Date
  /** How long after the records are seen from outside another look is needed. */
  lookOnceSeenMs?: number
  /** Records what the parent showed. */
  report: (report: DelegationReport) => void
  /** Records an event for the domain's timeline. */
  addEvent: (event: NewEvent) => void
}

/** The code of a stage. Both acts are safe to repeat and to kill. */
export type Step = {
  /** What the stage must wait for before it makes anything; undefined if nothing. */
  gate?(pass: Pass): Promise<Verdict | undefined>
  /** Does what the condition needs, as far as we can, and gives the verdict. Throws if it cannot look. */
  ensure(pass: Pass): Promise<Verdict>
  /** Removes what `ensure` made. Absent for steps that make nothing elsewhere. */
  remove?(pass: Pass): Promise<void>
}

/** The parent's servers gave no credible answer: nothing new is known. */
export class CouldNotAsk extends Error {
  override readonly name = 'CouldNotAsk'

  constructor(name: string, why = `The servers above ${name} do not answer at the moment.`) {
    super(why)
  }
}

/** What the parent says before the zone is made. While it cannot be asked, nothing is made. */
export async function askParentOnce(pass: Pass): Promise<readonly ParentAnswer[]> {
  const { domain, ports, signal } = pass
  if (pass.parentAnswers) return pass.parentAnswers
  const { answers } = await ports.observer.look(domain.name, 'one', 'asked', signal)
  if (!answers.some(isAnswer)) throw new CouldNotAsk(domain.name)
  pass.parentAnswers = answers
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
