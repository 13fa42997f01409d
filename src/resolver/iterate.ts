/**
 * Resolves in the public DNS without a cache of answers: every question descends from the nearest zone of a
 * registry, so it sees what a resolver with an empty cache sees.
 */
import { randomInt } from 'node:crypto'
import type { TypeName } from '#dns/types.ts'
import { ancestorsOf, isWithin, relative } from '#names/domain-name.ts'
import type { Cut, Cuts, NamedServer } from './cuts.ts'
import { exchange, NoAnswer } from './exchange.ts'
import type { Pace, Urgency } from './pace.ts'
import type { Reply, Rr } from './reply.ts'
import { type Lookup, LookupFailed, type Resolver } from './resolver.ts'

/** Where the walk starts, which port a server has, and which addresses may be asked at all. */
export type Reach = {
  rootHints: readonly string[]
  dnsPort(address: string): number
  mayConnect(address: string): boolean
  /** Waits until that server may be asked once more. */
  pace: Pace
  /** The pace of a survey at a zone's own servers, where it differs. */
  surveyPace?: Pace
}

/** At most so many questions for one look-up, with all it leads to (RFC 1034 section 5.3.3). */
const QUESTIONS = 50
const CNAMES = 8
const REFERRALS = 16
const NAMESERVERS_TRIED = 4

/** One look-up with all it leads to: how far it may reach, and how many questions it has left. */
export type Inquiry = {
  reach: Reach
  cuts: Cuts
  urgency: Urgency
  signal: AbortSignal
  questionsLeft: number
  /** The nameservers whose addresses are being looked up. */
  beingFound: Set<string>
}

export const inquiry = (
  reach: Reach,
  cuts: Cuts,
  urgency: Urgency,
  signal: AbortSignal,
): Inquiry => ({ reach, cuts, urgency, signal, questionsLeft: QUESTIONS, beingFound: new Set() })

/** To be called before each message: counts it, and waits for that server's turn. */
export async function paceQuery(inquiry: Inquiry, address: string): Promise<void> {
  if (--inquiry.questionsLeft < 0) throw new LookupFailed('the look-up took too many questions')
  await inquiry.reach.pace(address, inquiry.urgency, inquiry.signal)
}

export function iterativeResolver(reach: Reach, cuts: Cuts): Resolver {
  return {
    resolve: (name, type, signal) => resolve(inquiry(reach, cuts, 'asked', signal), name, type),
  }
}

async function resolve(inquiry: Inquiry, name: string, type: TypeName): Promise<Lookup> {
  let current = name
  for (let cname = 0; cname <= CNAMES; cname++) {
    const reply = await answerTo(inquiry, current, type)
    const records = reply.answers.filter((rr) => rr.type === type && rr.name === current)
    if (records.length > 0) return { rcode: 'NOERROR', records }
    // RFC 6672 section 3.1: a DNAME comes with the CNAME that it means for this name.
    const alias = reply.answers.find((rr) => rr.type === 'CNAME' && rr.name === current)
    if (alias === undefined) return { rcode: rcodeOf(reply), records: [] }
    current = relative(alias.data)
  }
  throw new LookupFailed(`${name} is an alias of an alias too often`)
}

/** The reply of the name's authoritative servers. */
async function answerTo(inquiry: Inquiry, name: string, type: TypeName): Promise<Reply> {
  const ask = (cut: Cut) => firstUsefulReply(inquiry, cut, name, type)
  const { cut, reply } = await followReferrals(inquiry, name, await nearestCut(inquiry, name), ask)
  return reply ?? nobodyAnswers(cut, name)
}

/** The lowest known zone at or above the name; else the root. */
export async function nearestCut(inquiry: Inquiry, name: string): Promise<Cut> {
  for (const zone of [name, ...ancestorsOf(name)]) {
    const known = inquiry.cuts.at(zone)
    if (!known) continue
    const cut = await serversOf(inquiry, zone, known.referral)
    return { ...cut, isRemembered: cut.isRemembered || known.isRemembered }
  }
  return rootCut(inquiry.reach)
}

/** Asks the servers of a zone. Undefined when none says anything useful about the name. */
export type Ask = (cut: Cut) => Promise<Reply | undefined>

/**
 * Follows referrals down from a zone to the last one; or, if `stopsAbove` is 'name', to the one that refers
 * to `name`. If remembered servers give no useful answer, starts again at the root, once.
 */
export async function followReferrals(
  inquiry: Inquiry,
  name: string,
  from: Cut,
  ask: Ask,
  stopsAbove: 'nothing' | 'name' = 'nothing',
): Promise<{ cut: Cut; reply: Reply | undefined }> {
  let cut = from
  let hasBegunAnew = false
  for (let step = 0; step < REFERRALS; step++) {
    const answered = await askWithOthers(inquiry, cut, name, ask)
    if ('deeper' in answered) {
      cut = answered.deeper
      continue
    }
    const { reply } = answered
    if (reply === undefined && cut.isRemembered && !hasBegunAnew) {
      inquiry.cuts.forget(cut)
      hasBegunAnew = true
      cut = rootCut(inquiry.reach)
      continue
    }
    const next = reply && referralOf(reply, name, cut.zone)
    if (next === undefined || (next === name && stopsAbove === 'name')) return { cut, reply }
    cut = await serversOf(inquiry, next, reply!)
  }
  throw new LookupFailed(`${name} is referred on too often`)
}

/** Passes that need the same registry's servers at the same time ask once. */
async function askWithOthers(
  inquiry: Inquiry,
  cut: Cut,
  name: string,
  ask: Ask,
): Promise<{ deeper: Cut } | { reply: Reply | undefined }> {
  const { cuts, urgency, signal } = inquiry
  const first = await cuts.askUnlessUnderWay(cut.zone, name, urgency, signal, () =>
    askAndKeep(inquiry, cut, name, ask),
  )
  signal.throwIfAborted()
  if (first) return { reply: first.reply }
  const nearest = await nearestCut(inquiry, name)
  const isDeeper = nearest.zone.length > cut.zone.length
  return isDeeper ? { deeper: nearest } : { reply: await askAndKeep(inquiry, cut, name, ask) }
}

/** Keeps a referral for the pass, or for all passes if to a registry's zone. */
async function askAndKeep({ cuts }: Inquiry, cut: Cut, name: string, ask: Ask) {
  const reply = await ask(cut)
  const next = reply && referralOf(reply, name, cut.zone)
  if (next !== undefined) cuts.keep(next, reply!)
  return reply
}

export const rootCut = (reach: Reach): Cut => ({
  zone: '',
  servers: reach.rootHints.map((address) => ({ name: 'root', address })),
  isRemembered: false,
})

/** What the servers of a zone say. Throws `LookupFailed` when none of them says anything useful. */
export async function askCut(
  inquiry: Inquiry,
  cut: Cut,
  name: string,
  type: TypeName,
): Promise<Reply> {
  return (await firstUsefulReply(inquiry, cut, name, type)) ?? nobodyAnswers(cut, name)
}

function nobodyAnswers({ zone }: Cut, name: string): never {
  throw new LookupFailed(`no server of ${zone || 'the root'} answers for ${name}`)
}

/** Asks the servers of a zone, in random order, until one answers usefully. */
export async function firstUsefulReply(
  inquiry: Inquiry,
  cut: Cut,
  name: string,
  type: TypeName,
): Promise<Reply | undefined> {
  for (const { address } of shuffled(cut.servers).slice(0, NAMESERVERS_TRIED)) {
    try {
      const server = { address, port: inquiry.reach.dnsPort(address) }
      const question = { name, type, recursive: false }
      const turn = () => paceQuery(inquiry, address)
      const reply = await exchange(server, question, 'udp', inquiry.signal, turn)
      if (isUseful(reply, name, cut.zone)) return reply
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
  }
  return undefined
}

/** A non-authoritative empty reply, or a referral not further down, says nothing of the name. */
const isUseful = (reply: Reply, name: string, zone: string): boolean =>
  reply.rcode === 'NXDOMAIN' ||
  (reply.rcode === 'NOERROR' &&
    (reply.authoritative ||
      reply.answers.length > 0 ||
      referralOf(reply, name, zone) !== undefined))

/** The zone a reply refers us to: a cut above or at `name`, strictly below the zone that was asked. */
export function referralOf(reply: Reply, name: string, zone: string): string | undefined {
  if (reply.authoritative || reply.answers.length > 0 || reply.rcode !== 'NOERROR') return undefined
  const ns = reply.authorities.find((rr) => rr.type === 'NS')
  if (ns === undefined || !isWithin(name, ns.name) || !isWithin(ns.name, zone)) return undefined
  return ns.name === zone ? undefined : ns.name
}

/** The servers of a zone that a reply refers to: by glue where there is some, else looked up. */
async function serversOf(inquiry: Inquiry, zone: string, reply: Reply): Promise<Cut> {
  const ns = reply.authorities.filter((rr) => rr.type === 'NS' && rr.name === zone)
  const names = new Set(ns.map((rr) => relative(rr.data)))
  const glueOf = (name: string) => addressesIn(reply.additionals, name)
  const isRemembered = [...names].some(
    (name) => glueOf(name).length === 0 && inquiry.cuts.addressesOf(name) !== undefined,
  )
  const servers = await addressed(inquiry, names, glueOf)
  if (servers.length === 0) {
    throw new LookupFailed(`no server of ${zone} has an address we may ask`)
  }
  return { zone, servers, isRemembered }
}

/** Nameservers with their addresses, as far as they may be asked. */
export async function addressed(
  inquiry: Inquiry,
  names: Iterable<string>,
  glueOf: (name: string) => readonly string[] = () => [],
): Promise<NamedServer[]> {
  const servers: NamedServer[] = []
  for (const name of names) {
    const glue = glueOf(name)
    const addresses = glue.length > 0 ? glue : await addressesOf(inquiry, name)
    const allowed = addresses.filter(inquiry.reach.mayConnect)
    servers.push(...allowed.map((address) => ({ name, address })))
  }
  return servers
}

const addressesIn = (rrs: readonly Rr[], name: string): string[] =>
  rrs
    .filter((rr) => (rr.type === 'A' || rr.type === 'AAAA') && rr.name === name)
    .map((rr) => rr.data)

/** A nameserver that cannot be found is skipped: another may answer. */
async function addressesOf(inquiry: Inquiry, name: string): Promise<readonly string[]> {
  const { cuts, beingFound } = inquiry
  const known = cuts.addressesOf(name)
  if (known) return known
  // Zones whose servers are named in each other, without glue, cannot be found.
  if (beingFound.has(name)) return []
  beingFound.add(name)
  try {
    const { records } = await resolve(inquiry, name, 'A')
    const addresses = records.map((rr) => rr.data)
    if (addresses.length > 0) cuts.keepAddresses(name, addresses, leastTtl(records))
    return addresses
  } catch (error) {
    if (error instanceof LookupFailed) return []
    throw error
  } finally {
    beingFound.delete(name)
  }
}

const leastTtl = (rrs: readonly Rr[]): number => Math.min(...rrs.map(({ ttl }) => ttl))

function rcodeOf(reply: Reply): 'NOERROR' | 'NXDOMAIN' {
  return reply.rcode === 'NXDOMAIN' ? 'NXDOMAIN' : 'NOERROR'
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: randomInt(1 << 30) }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item)
}
