/**
 * Azure's own check of the records. Its answer to "initiate" only says that the check began; the states
 * give the result. If a check hangs, or fails because the DNS was not ready, we initiate it again.
 */
import type { Notes } from '../../kind.ts'
import type { ClaimRef, Verification } from '../contract.ts'
import type { Arm, ArmDomain } from './arm.ts'
import { checkStateOf, VERIFICATIONS, type VerificationType } from './convert.ts'

export type VerificationOptions = {
  arm: Arm
  notes: Notes
  /** How long after its start to repeat a failed check, and to treat a running one as stuck; ms. */
  againAfterMs: number
  stuckAfterMs: number
  now: () => number
}

/** The state of one record's check, after we did what we could. */
type Standing = {
  type: VerificationType
  is: 'verified' | 'under_way' | 'failed' | 'stuck' | 'unknown'
  /** Azure's own reason or state, to be shown; empty where there is none. */
  word: string
}

const begunNote = (type: VerificationType): string => `begun:${type}`
const stuckNote = (type: VerificationType): string => `stuck:${type}`

/** Notes about the checks; not valid for a domain that is made anew. */
export const CHECK_NOTES = VERIFICATIONS.flatMap((type) => [begunNote(type), stuckNote(type)])

/** Initiates and follows the checks. Ownership first: Azure verifies the others only after it. */
export async function followChecks(
  options: VerificationOptions,
  claim: ClaimRef,
  domain: ArmDomain,
  signal: AbortSignal,
): Promise<Verification> {
  const ownership = await follow(options, claim, domain, 'Domain', signal)
  if (ownership.is !== 'verified') return waitingFor([ownership])
  const standings: Standing[] = []
  for (const type of VERIFICATIONS.slice(1)) {
    standings.push(await follow(options, claim, domain, type, signal))
  }
  const open = standings.filter((standing) => standing.is !== 'verified')
  return open.length === 0 ? { is: 'verified' } : waitingFor(open)
}

async function follow(
  options: VerificationOptions,
  claim: ClaimRef,
  domain: ArmDomain,
  type: VerificationType,
  signal: AbortSignal,
): Promise<Standing> {
  const { notes, againAfterMs, stuckAfterMs, now } = options
  const found = domain.properties.verificationStates?.[type]
  const state = checkStateOf(found?.status)
  if (state === 'verified') return { type, is: state, word: '' }
  if (state === 'unknown') return { type, is: state, word: found?.status.slice(0, 60) ?? '' }
  const noted = await notes.read(claim.claimId, begunNote(type))
  const hasWaited = now() - Number(noted) >= (state === 'failed' ? againAfterMs : stuckAfterMs)
  if (noted === undefined && state === 'under_way') {
    // Initiated by someone else, or the note was lost: its time counts from now.
    await notes.write(claim.claimId, begunNote(type), String(now()))
  } else if (noted === undefined || hasWaited) {
    const isStuck = noted !== undefined && state !== 'failed'
    await begin(options, claim, type, isStuck, signal)
  }
  if (state === 'failed') return { type, is: state, word: found?.errorCode?.slice(0, 60) ?? '' }
  // A check once reported as stuck stays so to its end, so that the message does not flicker.
  const isStuck = (await notes.read(claim.claimId, stuckNote(type))) !== undefined
  return { type, is: isStuck ? 'stuck' : 'under_way', word: '' }
}

/** Cancels a stuck check first: Azure may refuse to initiate one that it considers running. */
async function begin(
  { arm, notes, now }: VerificationOptions,
  { claimId, name }: ClaimRef,
  type: VerificationType,
  isStuck: boolean,
  signal: AbortSignal,
): Promise<void> {
  if (isStuck) await arm.cancel(name, type, signal)
  // If Azure refuses, the next look tries again.
  if (!(await arm.initiate(name, type, signal))) return
  await notes.write(claimId, begunNote(type), String(now()))
  if (isStuck) await notes.write(claimId, stuckNote(type), 'true')
  else await notes.drop(claimId, [stuckNote(type)])
}

/** The records' names for people. */
const LABELS: Record<VerificationType, string> = {
  Domain: 'the ownership code',
  SPF: 'the SPF policy',
  DKIM: 'the first DKIM key',
  DKIM2: 'the second DKIM key',
}

function waitingFor(standings: readonly Standing[]): Verification {
  const kind = (['failed', 'unknown', 'stuck', 'under_way'] as const).find((each) =>
    standings.some(({ is }) => is === each),
  )!
  const which = standings.filter(({ is }) => is === kind)
  const labels = which.map(({ type, word }) => LABELS[type] + (word ? ` (${word})` : ''))
  const what = labels.join(', ')
  const sentences = {
    failed: ['check_failed', `Azure did not accept ${what}; it is asked again from time to time.`],
    unknown: [
      'unknown_state',
      `Azure names a state of its check of ${what} that we do not know; it is waited for.`,
    ],
    stuck: [
      'check_stuck',
      `Azure has not finished its check of ${what} for long, and was asked again.`,
    ],
    under_way: ['under_way', `Azure is checking ${what}.`],
  } as const
  const [reason, message] = sentences[kind]
  return { is: 'waiting', reason, message }
}
