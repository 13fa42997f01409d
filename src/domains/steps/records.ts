/** records_published: the zone holds what all ask for, and anyone who asks from outside sees it. */
import { DriverError } from '#drivers/errors.ts'
import { ancestorsOf, relative } from '#names/domain-name.ts'
import { type DmarcPolicy, isDmarc, subdomainPolicy } from '#policy/dmarc.ts'
import { desiredRecords, desiredZone } from '../desired-records.ts'
import { planZone } from '../plan.ts'
import type { OwnedRecord } from '../ports.ts'
import { failed, met, type Pass, type Step, waiting } from '../step.ts'
import { reportsLocalpart } from './mail-domain.ts'

export const records: Step = {
  async ensure(pass) {
    const wanted = await wantedRecords(pass)
    const objection = wanted.map((record) => objectionTo(pass, record)).find(Boolean)
    if (objection) return failed('not_holdable', objection)
    await publish(pass, wanted)
    const seen = await Promise.all(wanted.map((record) => lookFromOutside(pass, record)))
    await pass.ports.records.replace(pass.domain, seen)
    const unseen = seen.filter(({ status }) => status !== 'published')
    if (unseen.length === 0) return met
    return waiting('not_visible', `Not visible from outside yet: ${unseen.map(label).join(', ')}.`)
  },
  async remove(pass) {
    const { domain, ports, signal } = pass
    const isThere = await ports.zone.readZone(domain.claim, signal)
    if (isThere) await publish(pass, pass.kept)
    await ports.records.replace(domain, pass.kept)
  },
}

const label = ({ name, type }: OwnedRecord): string => `${type} of ${relative(name)}`

async function wantedRecords(pass: Pass): Promise<OwnedRecord[]> {
  const { domain, needs } = pass
  const reportsTo = `${reportsLocalpart(domain.claim)}@${domain.name}`
  const policy = await startingPolicy(pass)
  return desiredRecords(domain.name, [...needs.values()].flat(), { policy, reportsTo })
}

/**
 * `none`, unless an enclosing domain asks more of its subdomains: a domain must not become weaker by
 * coming here. RFC 9989 section 4.10: at most eight names are asked on the way up.
 */
async function startingPolicy({ domain, ports, signal }: Pass): Promise<DmarcPolicy> {
  for (const ancestor of ancestorsOf(domain.name).slice(0, 8)) {
    const { records } = await ports.publicDns.resolve(`_dmarc.${ancestor}`, 'TXT', signal)
    const record = records.find(({ data }) => isDmarc(data))
    if (record) return subdomainPolicy(record.data)
  }
  return 'none'
}

function objectionTo({ ports }: Pass, { name, type, ttl, value }: OwnedRecord): string | undefined {
  return ports.zone.objectionTo({ name, type, ttl, data: [value] })
}

/** Plans before it acts; what is as it should be is not written again. */
export async function publish(
  { domain, ports, signal }: Pass,
  wanted: readonly OwnedRecord[],
): Promise<void> {
  const current = await ports.zone.readZone(domain.claim, signal)
  if (current === undefined) throw new DriverError('conflict', `The zone ${domain.name} is gone.`)
  const former = await ports.records.list(domain)
  const changes = planZone(current, desiredZone(current, former, wanted))
  if (changes.length === 0) return
  // Noted as ours first: a crash between the two must not leave a value nobody will take away.
  await ports.records.replace(domain, union(former, wanted))
  await ports.zone.changeZone(domain.claim, changes, signal)
}

function union(a: readonly OwnedRecord[], b: readonly OwnedRecord[]): OwnedRecord[] {
  const key = ({ name, type, value }: OwnedRecord) => `${name} ${type} ${value}`
  return [...new Map([...a, ...b].map((record) => [key(record), record])).values()]
}

async function lookFromOutside({ ports, signal }: Pass, record: OwnedRecord): Promise<OwnedRecord> {
  const { records } = await ports.publicDns.resolve(relative(record.name), record.type, signal)
  const observed = records.map(({ data }) => data)
  const isSeen = observed.some((data) => normal(data) === normal(record.value))
  const status = isSeen ? 'published' : observed.length > 0 ? 'mismatch' : 'missing'
  return { ...record, observed, status }
}

/** Presentation forms of one rdata differ in trailing dots and, for names, in case. */
const normal = (data: string): string => data.replace(/\.$/, '').toLowerCase()
