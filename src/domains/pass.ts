/** One pass: load, walk the stages, record, say when to look again. */
import { DriverError } from '#drivers/errors.ts'
import type { Outcome, Taken } from '#engine/worker.ts'
import { LookupFailed } from '#resolver/resolver.ts'
import { afterTroubleMs, nextLookMs, redirectLookMs } from './cadence.ts'
import { failedStage, firstUnmet, LIFECYCLE, reconcile, statusOf } from './lifecycle.ts'
import type { Ports, Recorder } from './ports.ts'
import { type Removal, removalPass } from './removal.ts'
import { CouldNotAsk, failed, type Pass } from './step.ts'
import type { ConditionType, Domain, DomainStatus } from './types.ts'

export type LoadedDomain = {
  domain: Domain
  /** As it was last written. */
  status: DomainStatus
  removal: Removal | undefined
  ports: Ports
  recorder: Recorder
}

/** The row was removed meanwhile: there is nothing to look at. */
const NOTHING_LEFT: Outcome = { afterMs: 86_400_000, failures: 0 }

/** A change of a domain's status, and the unmet condition that caused it. */
export type StatusChange = {
  domain: string
  workspace: string
  from: DomainStatus
  to: DomainStatus
  stage?: ConditionType
  reason?: string
  message?: string
}

export type PassListener = {
  onStatus(change: StatusChange): void
  /** The pass threw an unexpected error: it is repeated ever more rarely, and the domain shows it. */
  onFault(error: unknown, domain: string): void
}

/** Processes one taken row. Throws only an abort, a lost lease, or the loss of the database. */
export async function domainPass(
  row: Taken,
  load: (row: Taken) => Promise<LoadedDomain | undefined>,
  signal: AbortSignal,
  listener: PassListener,
): Promise<Outcome> {
  const loaded = await load(row)
  if (loaded === undefined) return NOTHING_LEFT
  const { domain, status, removal } = loaded
  const outcome = await workOff(row, loaded, signal, listener)
  const now = statusOf(domain.conditions, domain.activatedAt !== undefined)
  if (now !== status && !removal) listener.onStatus({ ...whyStatus(domain), from: status, to: now })
  return outcome
}

function whyStatus({ name, workspaceId, conditions, activatedAt }: Domain) {
  const who = { domain: name, workspace: workspaceId }
  const stage = (failedStage(conditions, activatedAt !== undefined) ?? firstUnmet(conditions))?.met
  const verdict = stage && conditions.get(stage)?.verdict
  if (!verdict || !('reason' in verdict)) return who
  return { ...who, stage, reason: verdict.reason, message: verdict.message }
}

async function workOff(
  row: Taken,
  loaded: LoadedDomain,
  signal: AbortSignal,
  { onFault }: PassListener,
): Promise<Outcome> {
  const { domain, ports, recorder, removal } = loaded
  const pass: Pass = {
    domain,
    ports,
    signal,
    needs: new Map(),
    refused: new Set(),
    kept: [],
    report: recorder.setDelegation,
    addEvent: recorder.addEvent,
  }
  try {
    if (removal) return { afterMs: (await removalPass(pass, recorder, removal)) ?? 0, failures: 0 }
    await reconcile(pass, recorder)
    return planNextLook(pass, recorder)
  } catch (error) {
    const trouble = troubleOf(error)
    if (trouble !== undefined) return afterTrouble(error, trouble, row, loaded)
    // Then nothing can be recorded: the row waits until its lease ends.
    if (signal.aborted || isOfEngine(error)) throw error
    onFault(error, domain.name)
    return afterTrouble(error, FAULT, row, loaded)
  }
}

function planNextLook(pass: Pass, recorder: Recorder): Outcome {
  const { domain, ports } = pass
  const stage = firstUnmet(domain.conditions) ?? LIFECYCLE.at(-1)!
  const verdict = domain.conditions.get(stage.met)?.verdict
  const now = ports.clock.now()
  const dueMs = verdict ? nextLookMs(stage.met, verdict, domain, now, ports.soonestLookMs) : 0
  const afterMs = Math.min(
    dueMs,
    redirectLookMs(pass.redirectUnseenSince, now),
    lookOnceSeenMs(pass) ?? dueMs,
  )
  return { afterMs, failures: 0, columns: recorder.nextLookColumns(afterMs) }
}

/** Until the records are seen, their own stage says when to look. */
function lookOnceSeenMs({ domain, lookOnceSeenMs }: Pass): number | undefined {
  const isSeen = domain.conditions.get('records_published')?.verdict.is === 'met'
  return isSeen ? lookOnceSeenMs : undefined
}

/** The error's kind decides: a refusal is a verdict, everything else a reason to look again. */
async function afterTrouble(
  error: unknown,
  trouble: string,
  row: Taken,
  { domain, ports, recorder, removal }: LoadedDomain,
): Promise<Outcome> {
  const failures = row.failures + 1
  const afterMs = afterTroubleMs(row.failures, error instanceof DriverError ? error : undefined)
  const isNo =
    error instanceof DriverError &&
    (error.kind === 'rejected' || (error.kind === 'conflict' && wasMet(trouble, domain)))
  if (isNo && removal === undefined) {
    const verdict = failed(error.kind, trouble)
    await recorder.recordRefusal(verdict)
    // An active domain is still looked at: the provider may accept it later.
    const now = ports.clock.now()
    return {
      afterMs: nextLookMs('zone_ready', verdict, domain, now, ports.soonestLookMs),
      failures,
    }
  }
  await recorder.recordFailedLook(trouble, afterMs)
  // A named retry time is no failure; otherwise looks become ever rarer.
  const namesTime = error instanceof DriverError && error.retryAfterMs !== undefined
  return { afterMs, failures: namesTime ? row.failures : failures }
}

/** Whether the look before had the same error. */
const wasMet = (trouble: string, { conditions }: Domain): boolean =>
  [...conditions.values()].some(({ lastLookError }) => lastLookError === trouble)

const FAULT = 'a fault of Mailstead, which its log describes.'

/** Another worker has the row. */
const isOfEngine = (error: unknown): boolean => error instanceof Error && error.name === 'LeaseLost'

function troubleOf(error: unknown): string | undefined {
  if (
    error instanceof DriverError ||
    error instanceof LookupFailed ||
    error instanceof CouldNotAsk
  ) {
    return error.message
  }
  // The time limit of a pass, or of a call in it. Earlier findings of the pass are kept.
  const isTimeUp = error instanceof DOMException && error.name === 'TimeoutError'
  return isTimeUp ? 'The look took longer than it may.' : undefined
}
