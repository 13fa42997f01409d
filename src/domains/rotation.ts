/**
 * The rotation of a domain's DKIM keys, decided in every pass:
 *
 *   pending ─▶ signing ─▶ retiring ─▶ revoked ─▶ gone
 *
 * Mailstead publishes a pending key beside the signing key. Once the public DNS shows its record,
 * the pending key signs. A retiring key stays published for mail in flight, then its record is
 * revoked.
 */
import type { KeyRotation, SigningKey } from '#drivers/sender/contract.ts'
import { days, hours, seconds } from '../clock.ts'
import { spread } from './spread.ts'
import type { Pass } from './step.ts'
import type { Claim } from './types.ts'

/** How long a key stays published after its last signature, and then its revoked record. */
const RETIRING_MS = days(7)
const REVOKED_MS = days(7)
/** All our nameservers serve a change within a second; a key signs only after this time. */
const SETTLED_AFTER_MS = seconds(3)

export type RotationAction =
  | { is: 'begin' }
  | { is: 'sign'; selector: string }
  | { is: 'revoke'; selector: string }
  | { is: 'drop'; selector: string }

/** The actions due now, in order. Pure. `isSeen`: whether the public DNS shows the key's record. */
export function planRotation(
  keys: readonly SigningKey[],
  isSeen: (key: SigningKey) => boolean,
  { claimId }: Claim,
  everyDays: number,
  now: Date,
): RotationAction[] {
  const ageMs = ({ since }: SigningKey) => now.getTime() - since.getTime()
  const pending = keys.find(({ state }) => state === 'pending')
  const next =
    pending && isSeen(pending) && ageMs(pending) >= SETTLED_AFTER_MS ? pending : undefined
  const signer = next ?? keys.find(({ state }) => state === 'signing')
  const former = keys.filter(
    (key) => key !== signer && (key.state === 'signing' || key.state === 'retiring'),
  )
  const spent = former.filter(
    (key) =>
      signer?.occasion === 'compromise' || (key.state === 'retiring' && ageMs(key) >= RETIRING_MS),
  )
  const gone = keys.filter((key) => key.state === 'revoked' && ageMs(key) >= REVOKED_MS)
  const isDue = !pending && signer && isRotationDue(ageMs(signer), claimId, everyDays, now)
  return [
    ...(next ? [{ is: 'sign', selector: next.selector } as const] : []),
    ...spent.map(({ selector }) => ({ is: 'revoke', selector }) as const),
    ...gone.map(({ selector }) => ({ is: 'drop', selector }) as const),
    ...(isDue ? [{ is: 'begin' } as const] : []),
  ]
}

/**
 * Spreads rotations over time: each claim has its own hour in the last 24th of a key's lifetime. So
 * keys of the same age, or all overdue after a change of the setting, do not rotate at once.
 */
function isRotationDue(ageMs: number, claimId: string, everyDays: number, now: Date): boolean {
  const slots = everyDays
  if (everyDays === 0 || ageMs < days(everyDays) - hours(slots)) return false
  return Math.floor(now.getTime() / hours(1)) % slots === Math.floor(spread(claimId) * slots)
}

/** Performs the due actions. Runs before the pass reads the records that the sender needs. */
export async function rotateKeys(pass: Pass): Promise<void> {
  const { domain, ports } = pass
  const { rotation } = ports.sender
  // A domain that was never active has only the key of its registration.
  if (!rotation || domain.activatedAt === undefined) return
  const keys = await rotation.keys(domain.claim, pass.signal)
  const isPending = keys.some(({ state }) => state === 'pending')
  const isSeen = isPending ? await seenOutside(pass) : () => false
  const now = ports.clock.now()
  const actions = planRotation(keys, isSeen, domain.claim, rotation.everyDays, now)
  for (const action of actions) await perform(action, rotation, pass, now)
  const isBegun = actions.some(({ is }) => is === 'begin')
  const isTaken = actions.some(({ is }) => is === 'sign')
  if (isBegun || (isPending && !isTaken)) pass.lookOnceSeenMs = SETTLED_AFTER_MS
}

/** Whether the latest look at the public DNS saw the record of a key. */
async function seenOutside({ domain, ports }: Pass): Promise<(key: SigningKey) => boolean> {
  const records = await ports.records.list(domain)
  const seen = records.filter(({ status }) => status === 'published').map(({ name }) => name)
  return ({ name }) => seen.includes(name)
}

async function perform(
  action: RotationAction,
  rotation: KeyRotation,
  pass: Pass,
  at: Date,
): Promise<void> {
  const { signal } = pass
  const { claim } = pass.domain
  if (action.is === 'begin') await rotation.begin(claim, { occasion: 'routine', at }, signal)
  if (action.is === 'sign') await rotation.sign(claim, action.selector, at, signal)
  if (action.is === 'revoke') await rotation.revoke(claim, action.selector, at, signal)
  if (action.is === 'drop') await rotation.drop(claim, action.selector, signal)
}
