import type { NeededRecord } from '#drivers/records.ts'
import type { NewEvent } from '#events/catalogue.ts'
import { isAnswer, type ParentAnswer } from '#resolver/parent.ts'
import type { OwnedRecord, Ports } from './ports.ts'
import type { ConditionType, DelegationReport, Domain, Verdict } from './types.ts'

/** One pass: the domain as the worker took it, and the state that its stages share. */
export type Pass = {
  domain: Domain
  ports: Ports
  signal: AbortSignal
  /** The records that each mail service needs, read in this pass; the records stage merges them. */
  needs: Map<ConditionType, readonly NeededRecord[]>
  /** The localparts of the inboxes that a service refused in this pass. */
  refused: Set<string>
  /** The records that stay in the zone when a removal takes away the others. */
  kept: readonly OwnedRecord[]
  /** The parent's answers before we create the zone; a pass asks once. */
  parentAnswers?: readonly ParentAnswer[]
  /** Since when the public DNS lacks the records of a redirect. */
  redirectUnseenSince?: Date
  /** How long after the public DNS shows the records the next look is due. */
  lookOnceSeenMs?: number
  /** Records the delegation that the parent shows. */
  report: (report: DelegationReport) => void
  /** Adds an event to the domain's timeline. */
  addEvent: (event: NewEvent) => void
}

/** The code of a stage. `ensure` and `remove` are safe to repeat, and to interrupt at any point. */
export type Step = {
  /** The verdict while the stage must not create anything yet; undefined once it may. */
  gate?(pass: Pass): Promise<Verdict | undefined>
  /**
   * Brings the condition about as far as possible, and returns the verdict. Throws if it cannot
   * look.
   */
  ensure(pass: Pass): Promise<Verdict>
  /** Removes all that `ensure` created. Absent for steps that create nothing at a service. */
  remove?(pass: Pass): Promise<void>
}

/** No server of the parent gave a usable answer: the look says nothing about the delegation. */
export class CouldNotAsk extends Error {
  override readonly name = 'CouldNotAsk'

  constructor(name: string, why = `The servers above ${name} do not answer at the moment.`) {
    super(why)
  }
}

/**
 * The parent's answers before we create the zone. Throws, so that we create nothing, if it has
 * none.
 */
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
