/**
 * The public DNS as it stands now: every question is walked down from the root and nothing is cached,
 * so what is seen is what anyone would see who has not looked before.
 */
import { randomInt } from 'node:crypto'
import type { TypeName } from '#dns/types.ts'
import { isWithin, relative } from '#names/domain-name.ts'
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
}

export type NamedServer = { name: string; address: string }
export type Cut = { zone: string; servers: readonly NamedServer[] }

/** At most so many questions for one look-up, with all it leads to (RFC 1034 section 5.3.3). */
const QUESTIONS = 50
const CNAMES = 8
const REFERRALS = 16
const NAMESERVERS_TRIED = 4

/** One look-up with all it leads to: how far it may reach, and how many questions it has left. */
export type Inquiry = { reach: Reach; urgency: Urgency; signal: AbortSignal; questionsLeft: number }

export const inquiry = (reach: Reach, urgency: Urgency, signal: AbortSignal): Inquiry => ({
  reach,
  urgency,
  signal,
  questionsLeft: QUESTIONS,
})

/** To be called before each message: counts it, and waits for that server's turn. */
export async function spend(inquiry: Inquiry, address: string): Promise<void> {
  if (--inquiry.questionsLeft < 0) throw new LookupFailed('the look-up took too many questions')
  await inquiry.reach.pace(address, inquiry.urgency, inquiry.signal)
}

export function iterativeResolver(reach: Reach): Resolver {
  return { resolve: (name, type, signal) => resolve(inquiry(reach, 'asked', signal), name, type) }
}

async function resolve(inquiry: Inquiry, name: string, type: TypeName): Promise<Lookup> {
  let current = name
  for (let cname = 0; cname <= CNAMES; cname++) {
    const reply = await walk(inquiry, current, type)
    const records = reply.answers.filter((rr) => rr.type === type && rr.name === current)
    if (records.length > 0) return { rcode: 'NOERROR', records }
    const alias = reply.answers.find((rr) => rr.type === 'CNAME' && rr.name === current)
    if (alias === undefined) return { rcode: rcodeOf(reply), records: [] }
    current = relative(alias.data)
  }
  throw new LookupFailed(`${name} is an alias of an alias too often`)
}

/** From the root down to the server that answers with authority. */
async function walk(inquiry: Inquiry, name: string, type: TypeName): Promise<Reply> {
  let cut = rootCut(inquiry.reach)
  for (let step = 0; step < REFERRALS; step++) {
    const reply = await askCut(inquiry, cut, name, type)
    const next = referralOf(reply, name, cut.zone)
    if (next === undefined) return reply
    cut = await serversOf(inquiry, next, reply)
  }
  throw new LookupFailed(`${name} is referred on too often`)
}

export const rootCut = (reach: Reach): Cut => ({
  zone: '',
  servers: reach.rootHints.map((address) => ({ name: 'root', address })),
})

/** Asks the servers of a zone, in random order, until one answers usefully. */
export async function askCut(
  inquiry: Inquiry,
  cut: Cut,
  name: string,
  type: TypeName,
): Promise<Reply> {
  for (const { address } of shuffled(cut.servers).slice(0, NAMESERVERS_TRIED)) {
    try {
      const server = { address, port: inquiry.reach.dnsPort(address) }
      const question = { name, type, recursive: false }
      const turn = () => spend(inquiry, address)
      const reply = await exchange(server, question, 'udp', inquiry.signal, turn)
      if (isUseful(reply, name, cut.zone)) return reply
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
  }
  throw new LookupFailed(`no server of ${cut.zone || 'the root'} answers for ${name}`)
}

/** A server that merely knows of the zone, or refers back to it or up, says nothing of the name. */
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

/** The addresses of a zone's servers: from glue where there is some, else looked up. */
export async function serversOf(inquiry: Inquiry, zone: string, reply: Reply): Promise<Cut> {
  const cut = reply.authorities.filter((rr) => rr.type === 'NS' && rr.name === zone)
  const names = new Set(cut.map((rr) => relative(rr.data)))
  const servers = await addressed(inquiry, names, (name) => addressesIn(reply.additionals, name))
  if (servers.length === 0) {
    throw new LookupFailed(`no server of ${zone} has an address we may ask`)
  }
  return { zone, servers }
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

/** A nameserver that cannot be found is passed over: its siblings may do. */
async function addressesOf(inquiry: Inquiry, name: string): Promise<string[]> {
  try {
    const found = await resolve(inquiry, name, 'A')
    return found.records.map((rr) => rr.data)
  } catch (error) {
    if (error instanceof LookupFailed) return []
    throw error
  }
}

function rcodeOf(reply: Reply): 'NOERROR' | 'NXDOMAIN' {
  return reply.rcode === 'NXDOMAIN' ? 'NXDOMAIN' : 'NOERROR'
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: randomInt(1 << 30) }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item)
}
