/**
 * Azure's own check of the records. Its answer to "begin" says only that it was begun; the truth is in
 * the states. A check can get stuck, or fail because the DNS was not ready: it is then asked for again.
 */
import type { Notes } from '../../kind.ts'
import type { ClaimRef, Verification } from '../contract.ts'
import type { Arm, ArmDomain } from './arm.ts'
import { checkStateOf, VERIFICATIONS, type VerificationType } from './convert.ts'

export type VerificationOptions = {
  arm: Arm
  notes: Notes
  /** After how long a failed check is asked for again, and one under way is taken for stuck; ms. */
  againAfterMs: number
  stuckAfterMs: number
  now: () => number
}

/** How the check of one record stands, after what could be done about it. */
type Standing = {
  type: VerificationType
  is: 'verified' | 'under_way' | 'failed' | 'stuck'
  code: string
}

/** Begins and follows the checks. Ownership first: the others are asked for once it is verified. */
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
  { arm, notes, againAfterMs, stuckAfterMs, now }: VerificationOptions,
  { claimId, name }: ClaimRef,
  domain: ArmDomain,
  type: VerificationType,
  signal: AbortSignal,
): Promise<Standing> {
  const found = domain.properties.verificationStates?.[type]
  const state = checkStateOf(found?.status)
  const code = found?.errorCode?.slice(0, 60) ?? ''
  if (state === 'verified') return { type, is: 'verified', code }
  const begunAt = Number((await notes.read(claimId, `begun:${type}`)) ?? Number.NaN)
  // A check that was never begun by us, or long ago, is begun now.
  const waitMs = state === 'failed' ? againAfterMs : stuckAfterMs
  const isDue = !(now() - begunAt < waitMs)
  if (isDue) {
    await arm.initiate(name, type, signal)
    await notes.write(claimId, `begun:${type}`, String(now()))
  }
  if (state === 'failed') return { type, is: 'failed', code }
  // Once called stuck, a check is called so to its end: the sentence must not come and go.
  if (isDue && !Number.isNaN(begunAt)) await notes.write(claimId, `stuck:${type}`, 'true')
  const isStuck = (await notes.read(claimId, `stuck:${type}`)) !== undefined
  return { type, is: isStuck ? 'stuck' : 'under_way', code }
}

/** What a person calls the records. */
const LABELS: Record<VerificationType, string> = {
  Domain: 'the ownership code',
  SPF: 'the SPF policy',
  DKIM: 'the first DKIM key',
  DKIM2: 'the second DKIM key',
}

function waitingFor(standings: readonly Standing[]): Verification {
  const kind = (['failed', 'stuck', 'under_way'] as const).find((each) =>
    standings.some(({ is }) => is === each),
  )!
  const which = standings.filter(({ is }) => is === kind)
  const labels = which.map(
    ({ type, code }) => LABELS[type] + (kind === 'failed' && code ? ` (${code})` : ''),
  )
  const what = labels.join(', ')
  const sentences = {
    failed: ['check_failed', `Azure did not accept ${what}; it is asked again from time to time.`],
    stuck: [
      'check_stuck',
      `Azure has not finished its check of ${what} for long, and was asked again.`,
    ],
    under_way: ['under_way', `Azure is checking ${what}.`],
  } as const
  const [reason, message] = sentences[kind]
  return { is: 'waiting', reason, message }
}
