/**
 * The redirect of a domain, as far as it is made with its records: they point at our own web server, or
 * at the zone host's where that leads visitors itself. Mail comes first: nothing here fails a domain.
 */
import { DriverError } from '#drivers/errors.ts'
import type { ZoneDriver } from '#drivers/zone/contract.ts'
import { absolute, relative } from '#names/domain-name.ts'
import { isOfRedirect } from '../desired-records.ts'
import type { OwnedRecord, WantedRedirect } from '../ports.ts'
import type { Pass } from '../step.ts'

/** `addresses` are what its records hold. */
export type PublishedRedirect = WantedRedirect & { addresses: readonly string[] }

/** Undefined for a domain without a redirect, and where nobody answers for redirects. */
export async function wantedRedirect({
  domain,
  ports,
}: Pass): Promise<PublishedRedirect | undefined> {
  const wanted = await ports.redirects.wanted(domain)
  const ofHost = ports.zone.redirects?.address
  const addresses = ofHost === undefined ? ports.redirects.addresses : [ofHost]
  return wanted && addresses.length > 0 ? { ...wanted, addresses } : undefined
}

/**
 * Tells a zone host that leads visitors itself where to, before the records bring them there. Where it
 * could not be told, the redirect stays as it was; the rest of the records is as planned.
 */
export async function leadVisitors(
  pass: Pass,
  redirect: PublishedRedirect | undefined,
  planned: readonly OwnedRecord[],
): Promise<readonly OwnedRecord[]> {
  const { domain, ports, signal } = pass
  if (!ports.zone.redirects) return planned
  const former = (await ports.records.list(domain)).filter(isOfRedirect)
  const hosts = planned.filter(isOfRedirect).map(({ name }) => relative(name))
  try {
    if (redirect && hosts.length > 0) {
      await ports.zone.redirects.lead(domain.claim, { ...redirect, hosts }, signal)
    } else if (former.length > 0) await ports.zone.redirects.stop(domain.claim, signal)
    return planned
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    if (error.kind === 'rejected') await ports.redirects.refused(domain, error.message)
    return [...planned.filter((record) => !isOfRedirect(record)), ...former]
  }
}

/** The records go next, and without them a rule leads nobody: what refuses does not hold the removal up. */
export async function stopLeading({ domain, ports, signal }: Pass): Promise<void> {
  if (!ports.zone.redirects) return
  if (!(await ports.records.list(domain)).some(isOfRedirect)) return
  try {
    await ports.zone.redirects.stop(domain.claim, signal)
  } catch (error) {
    if (!(error instanceof DriverError) || error.kind !== 'rejected') throw error
  }
}

/** Whether the zone host answers for this record with addresses of its own. */
export const isAnsweredByHost = ({ redirects }: ZoneDriver, record: OwnedRecord): boolean =>
  isOfRedirect(record) && record.value === redirects?.address

/** The domain's own name is what a visitor types. */
export const isSeenRedirect =
  ({ domain }: Pass) =>
  (record: OwnedRecord): boolean =>
    isOfRedirect(record) && record.status === 'published' && record.name === absolute(domain.name)
