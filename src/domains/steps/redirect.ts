/**
 * The records of a domain's redirect: they point at our web server, or at the zone host's where that
 * redirects itself. Mail comes first: nothing here fails a domain.
 */
import { DriverError } from '#drivers/errors.ts'
import type { ZoneDriver } from '#drivers/zone/contract.ts'
import { absolute, relative } from '#names/domain-name.ts'
import { isOfRedirect } from '../desired-records.ts'
import type { OwnedRecord, WantedRedirect } from '../ports.ts'
import type { Pass } from '../step.ts'

/** `addresses` are what its records hold. */
export type PublishedRedirect = WantedRedirect & { addresses: readonly string[] }

/** Undefined without a redirect, or without a server that answers redirects. */
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
 * Sets the redirect at a zone host that redirects itself, before the records send visitors there. If that
 * fails, the redirect's records stay as they were; the others are as planned.
 */
export async function ensureHostRedirect(
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
      await ports.zone.redirects.ensure(domain.claim, { ...redirect, hosts }, signal)
    } else if (former.length > 0) await ports.zone.redirects.remove(domain.claim, signal)
    return planned
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    if (error.kind === 'rejected') await ports.redirects.refused(domain, error.message)
    return [...planned.filter((record) => !isOfRedirect(record)), ...former]
  }
}

/** Without the records, removed next, a rule is harmless: a refusal does not stop the removal. */
export async function removeHostRedirect({ domain, ports, signal }: Pass): Promise<void> {
  if (!ports.zone.redirects) return
  if (!(await ports.records.list(domain)).some(isOfRedirect)) return
  try {
    await ports.zone.redirects.remove(domain.claim, signal)
  } catch (error) {
    if (!(error instanceof DriverError) || error.kind !== 'rejected') throw error
  }
}

/** Whether the zone host answers for this record with addresses of its own. */
export const isAnsweredByHost = ({ redirects }: ZoneDriver, record: OwnedRecord): boolean =>
  isOfRedirect(record) && record.value === redirects?.address

/** Only the domain's own name counts, not `www`. */
export const isSeenRedirect =
  ({ domain }: Pass) =>
  (record: OwnedRecord): boolean =>
    isOfRedirect(record) && record.status === 'published' && record.name === absolute(domain.name)
