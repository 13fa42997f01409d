/**
 * Removal: deletes everything at every provider, in reverse order of creation. While the parent still
 * points at us, the zone stays as a tombstone: for a week mail to the domain is deferred, not bounced, and
 * mail in flight still verifies; then the zone says that it has no mail.
 */

import type { Purpose } from '#drivers/records.ts'
import { absolute } from '#names/domain-name.ts'
import { REVOKED_DKIM_RECORD } from '#policy/dkim.ts'
import { dmarcRecord } from '#policy/dmarc.ts'
import { spfOfAddresses } from '#policy/spf.ts'
import { isAnswer } from '#resolver/parent.ts'
import { LookupFailed } from '#resolver/resolver.ts'
import { days } from '../clock.ts'
import { tombstoneLookMs } from './cadence.ts'
import { type CustomerRecord, isDmarcOf, isMxOf, isSpfOf } from './customer-records.ts'
import { RECORD_TTL_S } from './desired-records.ts'
import { enclosingZone } from './enclosing.ts'
import { tearDownServices } from './lifecycle.ts'
import type { OwnedRecord, Ports, Recorder } from './ports.ts'
import type { Pass } from './step.ts'
import { publish } from './steps/records.ts'
import { zone } from './steps/zone.ts'

export const MAIL_IN_FLIGHT_MS = days(7)

export type Removal = { requestedAt: Date; tornDownAt: Date | undefined }

/** One pass over a domain that is being removed. Milliseconds until the next, undefined when done. */
export async function removalPass(
  pass: Pass,
  recorder: Recorder,
  removal: Removal,
): Promise<number | undefined> {
  const isPointed = await stillPointsAtUs(pass)
  if (removal.tornDownAt === undefined) {
    pass.kept = isPointed ? forMailInFlight(await pass.ports.records.list(pass.domain)) : []
    await tearDownServices(pass, recorder)
  }
  if (!isPointed) return removeZone(pass, recorder)
  await recorder.recordTornDown()
  const ageMs = pass.ports.clock.now().getTime() - removal.requestedAt.getTime()
  if (ageMs > MAIL_IN_FLIGHT_MS && recorder.placements.has('zone_ready')) await publishNoMail(pass)
  return tombstoneLookMs(ageMs)
}

async function removeZone(pass: Pass, recorder: Recorder): Promise<undefined> {
  recorder.beginRemoval('zone_ready')
  // Not if it was abandoned.
  if (recorder.placements.has('zone_ready')) {
    await zone.remove?.(pass)
    await recorder.recordStageRemoved(pass.domain.claim, 'zone_ready')
  }
  await pass.ports.records.replace(pass.domain, [])
  await recorder.recordDomainRemoved()
}

/**
 * False where the claim does not hold the name: its pair was never shown, or another claim's pair, which
 * may share a name with it, replaced it.
 */
async function stillPointsAtUs({ domain, ports, signal }: Pass): Promise<boolean> {
  const { claim } = domain
  if (!(await ports.custody.holds(claim))) return false
  const enclosing = await enclosingZone(claim, ports, signal)
  if (enclosing) return enclosing.cut.some((name) => claim.nameservers.includes(name))
  const answering = await nameserversAtParent(domain.name, ports, signal)
  return answering === 'nothing' || answering.some((name) => claim.nameservers.includes(name))
}

/** The nameservers that the parent shows; 'nothing' if no server of the parent answers. */
async function nameserversAtParent(name: string, { observer }: Ports, signal: AbortSignal) {
  try {
    const { answers } = await observer.look(name, 'all', 'routine', signal)
    const answering = answers.filter(isAnswer)
    return answering.length === 0 ? 'nothing' : answering.flatMap(({ nameservers }) => nameservers)
  } catch (error) {
    if (error instanceof LookupFailed) return 'nothing'
    throw error
  }
}

const forMailInFlight = (records: readonly OwnedRecord[]): OwnedRecord[] =>
  records.filter(({ purpose }) => ['mx', 'dkim', 'bounce'].includes(purpose))

/** Revokes our DKIM keys, and publishes that the domain neither sends nor receives mail. */
async function publishNoMail(pass: Pass): Promise<void> {
  const { domain, ports } = pass
  const kept = await ports.records.list(domain)
  const revoked = kept.filter(({ purpose }) => purpose === 'dkim').map(({ name }) => name)
  const wanted = [
    ...(await refusals(pass, kept)),
    ...revoked.map((name) => record(name, 'TXT', REVOKED_DKIM_RECORD, 'dkim')),
  ]
  await publish(pass, wanted)
  await ports.records.replace(domain, wanted)
}

/**
 * RFC 7505 null MX, an SPF policy that passes nothing, DMARC reject. The customer's own records of these
 * kinds stay instead, and nothing changes where mail never came here.
 */
async function refusals(
  { domain, ports }: Pass,
  kept: readonly OwnedRecord[],
): Promise<OwnedRecord[]> {
  const { name } = domain
  const { wanted: theirs } = await ports.customers.list(domain)
  const isOurs = ({ value }: CustomerRecord) => kept.some((own) => own.value === value)
  if (theirs.some((each) => isMxOf(name, each) && !isOurs(each))) return []
  const isTheirs = {
    mx: () => false,
    spf: (each: CustomerRecord) => isSpfOf(name, each),
    dmarc: (each: CustomerRecord) => isDmarcOf(name, each),
  }
  const all = [
    record(absolute(name), 'MX', '0 .', 'mx'),
    record(absolute(name), 'TXT', spfOfAddresses(), 'spf'),
    record(absolute(`_dmarc.${name}`), 'TXT', dmarcRecord('reject'), 'dmarc'),
  ] as const
  return all.filter(({ purpose }) => !theirs.some(isTheirs[purpose]))
}

function record<P extends Purpose>(
  name: string,
  type: OwnedRecord['type'],
  value: string,
  purpose: P,
): OwnedRecord & { purpose: P } {
  const [ttl, status] = [RECORD_TTL_S, 'published' as const]
  return { name, type, value, ttl, purpose, status, observed: [value] }
}
