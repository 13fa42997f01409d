/** records_published: the zone holds all needed records, and they are visible from outside. */

import { canonicalOrWritten } from '#dns/rdata.ts'
import { DriverError } from '#drivers/errors.ts'
import type { NeededRecord } from '#drivers/records.ts'
import type { Change, RRset } from '#drivers/zone/contract.ts'
import { absolute, ancestorsOf, relative } from '#names/domain-name.ts'
import { reportsLocalpart } from '#names/localpart.ts'
import { type DmarcPolicy, isDmarc, ownPolicy, subdomainPolicy } from '#policy/dmarc.ts'
import { type CustomerRecord, excludes, hides } from '../customer-records.ts'
import {
  desiredRecords,
  desiredZone,
  isOfBounces,
  isOptional,
  redirectRecords,
  withoutConflicting,
} from '../desired-records.ts'
import { dropsMuch, planZone } from '../plan.ts'
import type { OwnedRecord } from '../ports.ts'
import { failed, met, type Pass, type Step, waiting } from '../step.ts'
import type { Verdict } from '../types.ts'
import { PLAN_DROPS_MUCH } from '../waits.ts'
import { type CustomersMail, customersMail, publishCustomers } from './customers.ts'
import { reportOnPolicies } from './policies.ts'
import {
  ensureHostRedirect,
  isAnsweredByHost,
  isSeenRedirect,
  type PublishedRedirect,
  removeHostRedirect,
  wantedRedirect,
} from './redirect.ts'

/** Our nameservers serve a change within about 20 ms. */
const FOLLOWED_AFTER_MS = 30

export const records: Step = {
  async ensure(pass) {
    const theirs = await customersMail(pass)
    if (theirs.mx.length > 0 && !pass.domain.takeMail) return mailIsElsewhere(pass, theirs.mx)
    const redirect = await wantedRedirect(pass)
    const planned = await wantedRecords(pass, theirs, redirect)
    const obstacle = obstacleTo(pass, theirs, planned)
    if (obstacle) return obstacle
    const policies = await reportOnPolicies(pass, theirs, planned)
    if (policies.records === undefined) return policies.verdict
    const wanted = await ensureHostRedirect(pass, redirect, policies.records)
    const plan = await planOf(pass, wanted)
    if (dropsMuch(plan.current, plan.changes) && !pass.domain.acceptsDrops) return asksFirst(plan)
    reportRepairs(pass, plan)
    await carryOut(pass, wanted, plan)
    // An immediate look would miss it, and cost a pass.
    if (plan.changes.length > 0) await pass.ports.clock.sleep(FOLLOWED_AFTER_MS, pass.signal)
    // Once our MX is there: a pass may end anywhere.
    await pass.ports.customers.drop(pass.domain, theirs.mx)
    if (theirs.mx.length > 0 || theirs.spf.length > 0) await publishCustomers(pass)
    const seen = await lookAtAll(pass, wanted)
    await pass.ports.records.replace(pass.domain, seen)
    if (plan.former.some(isOfBounces) && !wanted.some(isOfBounces)) await publishCustomers(pass)
    if (redirect && !seen.some(isSeenRedirect(pass))) pass.redirectUnseenSince = redirect.changedAt
    // Mail does not depend on optional records.
    const unseen = seen.filter((record) => record.status !== 'published' && !isOptional(record))
    if (policies.verdict) return policies.verdict
    if (unseen.length > 0) {
      const labels = unseen.map(label).join(', ')
      return waiting('not_visible', `Not visible from outside yet: ${labels}.`)
    }
    return (await notServed(pass, theirs)) ?? met
  },
  async remove(pass) {
    const { domain, ports, signal } = pass
    const isThere = await ports.zone.readZone(domain.claim, signal)
    await removeHostRedirect(pass)
    if (isThere) await publish(pass, pass.kept)
    await ports.records.replace(domain, pass.kept)
    // The customer's SPF policy, part of ours until now, returns.
    if (isThere) await publishCustomers(pass)
  },
}

/** Names the records that the zone does not serve; it serves all others. */
async function notServed(
  { domain, ports, signal }: Pass,
  { refused }: CustomersMail,
): Promise<Verdict | undefined> {
  const inZone = (await ports.zone.unservedIn?.(domain.claim, signal)) ?? []
  const sentences = [...new Set([...refused, ...inZone].map(({ why }) => why))]
  if (sentences.length === 0) return undefined
  const [first, ...others] = sentences
  const more = others.length > 0 ? ` So it is with ${others.length} more.` : ''
  return waiting('rrset_not_served', `${first} It is not served; change or remove it.${more}`)
}

/** RFC 5321 section 5.1: the MX decides where mail goes, and it goes elsewhere. */
function mailIsElsewhere({ domain }: Pass, mx: readonly { value: string }[]): Verdict {
  const hosts = mx.map(({ value }) => relative(value.split(' ').at(-1)!)).join(', ')
  const sentence = `Mail for ${domain.name} goes to ${hosts}; set take_mail to receive it here.`
  return waiting('mx_in_use', sentence)
}

/** What keeps the records from being published at all. */
function obstacleTo(
  pass: Pass,
  theirs: CustomersMail,
  planned: readonly OwnedRecord[],
): Verdict | undefined {
  const alias = planned.flatMap((record) => inTheWay(record, theirs))[0]
  if (alias) return aliasIsInTheWay(alias)
  const hidden = hiddenBy(pass, theirs, planned)
  if (hidden) return hidden
  const objection = planned.map((record) => objectionTo(pass, record)).find(Boolean)
  return objection === undefined ? undefined : failed('not_holdable', objection)
}

const inTheWay = (record: OwnedRecord, { all }: CustomersMail) =>
  all.filter((each) => excludes(each, record))

/** A delegation of the customer's that would hide our records. */
function hiddenBy(
  { domain }: Pass,
  { all }: CustomersMail,
  planned: readonly OwnedRecord[],
): Verdict | undefined {
  for (const record of planned) {
    const cut = all.find((each) => hides(each, record.name, absolute(domain.name)))
    if (cut === undefined) continue
    const sentence = `NS ${cut.value} at ${relative(cut.name)} delegates that name, and hides our ${label(record)}: remove it.`
    return waiting('hidden_by_delegation', sentence)
  }
  return undefined
}

function aliasIsInTheWay({ name, type, value }: CustomerRecord): Verdict {
  const sentence = `${type} ${value} stands at ${relative(name)}, beside which our record cannot: remove it.`
  return waiting('alias_in_the_way', sentence)
}

function asksFirst({ changes }: ZonePlan): Verdict {
  const names = changes.flatMap((change) => ('drop' in change ? relative(change.drop.name) : []))
  const sentence = `The plan would drop many of the zone's rrsets (${names.slice(0, 3).join(', ')} …); say accept_drops if it may.`
  return waiting(PLAN_DROPS_MUCH, sentence)
}

const label = ({ name, type }: OwnedRecord): string => `${type} of ${relative(name)}`

async function wantedRecords(
  pass: Pass,
  theirs: CustomersMail,
  redirect: PublishedRedirect | undefined,
): Promise<OwnedRecord[]> {
  const { domain, needs } = pass
  const reportsTo = `${reportsLocalpart(domain.claim)}@${domain.name}`
  const policy = await startingPolicy(pass)
  const ofMail = [...needs.values(), theirs.spf.map(asNeeded)].flat()
  // The customer's autoconfig and DMARC records take precedence, as does a bounce name in use.
  const isTheirs = (record: OwnedRecord) =>
    (record.purpose === 'dmarc' && theirs.hasDmarc) ||
    (record.purpose === 'bounce' && theirs.all.some(({ name }) => name === record.name)) ||
    (record.purpose === 'autoconfig' && inTheWay(record, theirs).length > 0)
  const desired = (needed: readonly NeededRecord[]) =>
    desiredRecords(domain.name, needed, { policy, reportsTo }).filter((each) => !isTheirs(each))
  const ofRedirect = redirect ? redirectRecords(domain.name, redirect.addresses) : []
  return withoutWhatGivesWay(pass, desired([...ofMail, ...ofRedirect]))
}

/** A customer's own SPF policy is merged with ours: a name has one. */
const asNeeded = ({ value, ...record }: CustomerRecord): NeededRecord => ({
  ...record,
  data: [value],
  purpose: 'spf',
})

/** Omits optional records that the zone cannot hold: mail must not fail for them. */
async function withoutWhatGivesWay(
  pass: Pass,
  wanted: readonly OwnedRecord[],
): Promise<OwnedRecord[]> {
  if (!wanted.some(isOptional)) return [...wanted]
  const { domain, ports, signal } = pass
  const holdable = wanted.filter((record) => !isOptional(record) || !objectionTo(pass, record))
  const current = await ports.zone.readZone(domain.claim, signal)
  return withoutConflicting(holdable, current ?? [], await ports.records.list(domain))
}

/**
 * `none`, unless an enclosing domain asks more of its subdomains: moving here must not weaken a domain. The
 * first choice stays. RFC 9989 section 4.10: at most eight names are asked on the way up.
 */
async function startingPolicy({ domain, ports, signal }: Pass): Promise<DmarcPolicy> {
  const ours = await ports.records.list(domain)
  const begun = ours.find(({ purpose }) => purpose === 'dmarc')
  if (begun) return ownPolicy(begun.value)
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

/** Plans, then changes only what differs. */
export async function publish(pass: Pass, wanted: readonly OwnedRecord[]): Promise<void> {
  await carryOut(pass, wanted, await planOf(pass, wanted))
}

type ZonePlan = {
  current: readonly RRset[]
  former: readonly OwnedRecord[]
  changes: readonly Change[]
}

async function planOf(
  { domain, ports, signal }: Pass,
  wanted: readonly OwnedRecord[],
): Promise<ZonePlan> {
  const current = await ports.zone.readZone(domain.claim, signal)
  if (current === undefined) throw new DriverError('conflict', `The zone ${domain.name} is gone.`)
  const former = await ports.records.list(domain)
  return { current, former, changes: planZone(current, desiredZone(current, former, wanted)) }
}

async function carryOut(
  { domain, ports, signal }: Pass,
  wanted: readonly OwnedRecord[],
  { former, changes }: ZonePlan,
): Promise<void> {
  if (changes.length === 0) return
  // Noted as ours first: a crash in between must not leave a value that is never removed.
  await ports.records.replace(domain, union(former, wanted))
  await ports.zone.changeZone(domain.claim, changes, signal)
}

/** Reports records that others changed and this pass puts back. */
function reportRepairs({ domain, addEvent }: Pass, { current, former, changes }: ZonePlan): void {
  if (domain.activatedAt === undefined) return
  for (const change of changes) {
    if (!('put' in change)) continue
    const { name, type, data } = change.put
    const ours = former.filter((record) => record.name === name && record.type === type)
    const there = current.find((rrset) => rrset.name === name && rrset.type === type)?.data ?? []
    const wasSeen = ours.some(
      ({ value, status }) =>
        status === 'published' && data.includes(value) && !there.includes(value),
    )
    const message = `${type} of ${relative(name)} had been changed, and was put back.`
    if (wasSeen)
      addEvent({
        type: 'record.repaired',
        stage: 'records_published',
        message,
        data: { name, type },
      })
  }
}

function union(a: readonly OwnedRecord[], b: readonly OwnedRecord[]): OwnedRecord[] {
  const key = ({ name, type, value }: OwnedRecord) => `${name} ${type} ${value}`
  return [...new Map([...a, ...b].map((record) => [key(record), record])).values()]
}

/** The first look finds the zone's servers for the others. */
async function lookAtAll(pass: Pass, records: readonly OwnedRecord[]): Promise<OwnedRecord[]> {
  const first = await Promise.all(records.slice(0, 1).map((each) => lookFromOutside(pass, each)))
  const others = records.slice(1).map((each) => lookFromOutside(pass, each))
  return [...first, ...(await Promise.all(others))]
}

async function lookFromOutside({ ports, signal }: Pass, record: OwnedRecord): Promise<OwnedRecord> {
  const { records } = await ports.publicDns.resolve(relative(record.name), record.type, signal)
  const observed = records.map(({ data }) => data).toSorted()
  const isSeen = isAnsweredByHost(ports.zone, record)
    ? observed.some((data) => data !== record.value)
    : observed.includes(canonicalOrWritten(record.type, record.value))
  const status = isSeen ? 'published' : observed.length > 0 ? 'mismatch' : 'missing'
  return { ...record, observed, status }
}
