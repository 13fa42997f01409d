/**
 * Removal: everything at every provider goes, in reverse order of creation. While the parent still
 * points at us, the zone stays as a tombstone: for a week mail to the domain is put off rather than
 * bounced and mail under way can still be verified; then the zone says that no mail comes or goes.
 */

import { absolute } from '#names/domain-name.ts'
import { REVOKED_DKIM_RECORD } from '#policy/dkim.ts'
import { isAnswer } from '#resolver/parent.ts'
import { LookupFailed } from '#resolver/resolver.ts'
import { days } from '../clock.ts'
import { tombstoneLookMs } from './cadence.ts'
import { enclosingZone } from './enclosing.ts'
import { tearDownServices } from './lifecycle.ts'
import type { OwnedRecord, Pen, Ports } from './ports.ts'
import type { Pass } from './step.ts'
import { publish } from './steps/records.ts'
import { zone } from './steps/zone.ts'

export const MAIL_IN_FLIGHT_MS = days(7)

export type Removal = { requestedAt: Date; tornDownAt: Date | undefined }

/** One pass over a domain that is being removed. Milliseconds until the next, undefined when done. */
export async function removalPass(
  pass: Pass,
  pen: Pen,
  removal: Removal,
): Promise<number | undefined> {
  const isPointed = await stillPointsAtUs(pass)
  if (removal.tornDownAt === undefined) {
    pass.kept = isPointed ? forMailInFlight(await pass.ports.records.list(pass.domain)) : []
    await tearDownServices(pass, pen)
  }
  if (!isPointed) return removeZone(pass, pen)
  await pen.tornDown()
  const ageMs = pass.ports.clock.now().getTime() - removal.requestedAt.getTime()
  if (ageMs > MAIL_IN_FLIGHT_MS) await sayNoMail(pass)
  return tombstoneLookMs(ageMs)
}

async function removeZone(pass: Pass, pen: Pen): Promise<undefined> {
  pen.removing('zone_ready')
  await zone.remove?.(pass)
  await pass.ports.records.replace(pass.domain, [])
  await pen.removed(pass.domain.claim, 'zone_ready')
  await pen.gone()
}

/**
 * Not asked where the claim does not hold the name: its pair was never shown, or another claim's has
 * taken its place, which may share a name with it.
 */
async function stillPointsAtUs({ domain, ports, signal }: Pass): Promise<boolean> {
  const { claim } = domain
  if (!(await ports.custody.holds(claim))) return false
  const enclosing = await enclosingZone(claim, ports, signal)
  if (enclosing) return enclosing.cut.some((name) => claim.nameservers.includes(name))
  const heard = await heardFromParent(domain.name, ports, signal)
  return heard === 'nothing' || heard.some((name) => claim.nameservers.includes(name))
}

/** The nameservers that the parent shows; a parent that cannot be found or asked is no "none". */
async function heardFromParent(name: string, { observer }: Ports, signal: AbortSignal) {
  try {
    const { answers } = await observer.look(name, 'all', 'routine', signal)
    const heard = answers.filter(isAnswer)
    return heard.length === 0 ? 'nothing' : heard.flatMap(({ nameservers }) => nameservers)
  } catch (error) {
    if (error instanceof LookupFailed) return 'nothing'
    throw error
  }
}

const forMailInFlight = (records: readonly OwnedRecord[]): OwnedRecord[] =>
  records.filter(({ purpose }) => purpose === 'mx' || purpose === 'dkim')

/** RFC 7505 null MX, an SPF policy that passes nobody, DMARC reject, revoked DKIM keys. */
async function sayNoMail(pass: Pass): Promise<void> {
  const { domain, ports } = pass
  const kept = await ports.records.list(domain)
  const revoked = kept.filter(({ purpose }) => purpose === 'dkim').map(({ name }) => name)
  const wanted = [
    record(absolute(domain.name), 'MX', '0 .', 'mx'),
    record(absolute(domain.name), 'TXT', 'v=spf1 -all', 'spf'),
    record(absolute(`_dmarc.${domain.name}`), 'TXT', 'v=DMARC1; p=reject; np=reject', 'dmarc'),
    ...revoked.map((name) => record(name, 'TXT', REVOKED_DKIM_RECORD, 'dkim')),
  ]
  await publish(pass, wanted)
  await ports.records.replace(domain, wanted)
}

function record(
  name: string,
  type: OwnedRecord['type'],
  value: string,
  purpose: OwnedRecord['purpose'],
): OwnedRecord {
  return { name, type, value, ttl: 300, purpose, status: 'published', observed: [value] }
}
