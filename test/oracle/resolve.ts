/**
 * What our zones say to a question: RFC 1034 section 4.3.2, the algorithm of a nameserver that does
 * not recurse. Pure; knows rrsets, not octets.
 */

import { isWithin } from '#dns/name.ts'
import type { WireRRset } from '#dns/rdata.ts'
import { RCODE, type Rcode, TYPE } from '#dns/types.ts'
import type { Match, Node, Zone } from './zone.ts'
import type { Zones } from './zones.ts'

export type Outcome = {
  rcode: Rcode
  isAuthoritative: boolean
  answer: readonly WireRRset[]
  authority: readonly WireRRset[]
  /** Addresses without which a referral leads nowhere. */
  glue: readonly WireRRset[]
  /** Addresses that save the asker a question. */
  additional: readonly WireRRset[]
}

type Ask = { name: string; type: number; isDnssecOk: boolean; zones: Zones }

const MAX_ALIASES = 8

/** A reply with nothing in it but its code. */
export function onlyRcode(rcode: Rcode): Outcome {
  return { rcode, isAuthoritative: false, answer: [], authority: [], glue: [], additional: [] }
}

export function resolve(ask: Ask): Outcome {
  const zone = ask.zones.findFor(ask.name, ask.type)
  return zone === undefined ? onlyRcode(RCODE.REFUSED) : follow(ask, ask.name, zone, [])
}

/** Answers for a name, which the aliases so far led to. */
function follow(ask: Ask, name: string, zone: Zone, aliases: readonly WireRRset[]): Outcome {
  const match = zone.find(name, ask.type)
  if (match.is === 'cut') return referral(ask, zone, match, aliases)
  if (match.is === 'absent') return negative(RCODE.NXDOMAIN, zone, aliases)
  const rrset = pick(match.node, ask.type)
  if (rrset === undefined) return negative(RCODE.NOERROR, zone, aliases)
  // RFC 1034 section 4.3.2: what a wildcard synthesizes is owned by the name asked for.
  const answer = [...aliases, { ...rrset, name }]
  const target = aliasTarget(rrset, ask.type)
  if (target === undefined) return positive(answer, addressesFor(rrset, ask.zones))
  const next = nextZone(ask, target, answer)
  return next === undefined ? positive(answer, []) : follow(ask, target, next, answer)
}

/** What a node has to say to a type. */
function pick(node: Node, type: number): WireRRset | undefined {
  // RFC 8482 section 4.1: one rrset is answer enough to ANY.
  if (type === TYPE.ANY) return node.values().next().value
  return node.get(type) ?? node.get(TYPE.CNAME)
}

function aliasTarget(rrset: WireRRset, asked: number): string | undefined {
  const isAlias = rrset.type === TYPE.CNAME && asked !== TYPE.CNAME && asked !== TYPE.ANY
  return isAlias ? rrset.records[0]?.target : undefined
}

/**
 * The zone in which to follow an alias further, if we should. We stay inside the zone that was asked
 * and what it delegates to us: beyond it no resolver believes us, and another workspace's zone, which
 * the world may not know, must not turn a customer's alias into NXDOMAIN.
 */
function nextZone(ask: Ask, target: string, aliases: readonly WireRRset[]): Zone | undefined {
  const isLoop = aliases.some(({ name }) => name === target)
  if (isLoop || aliases.length >= MAX_ALIASES) return undefined
  const asked = ask.zones.findFor(ask.name, ask.type)!
  return isWithin(target, asked.apex) ? ask.zones.findFor(target, ask.type) : undefined
}

function positive(answer: readonly WireRRset[], additional: readonly WireRRset[]): Outcome {
  return { ...onlyRcode(RCODE.NOERROR), isAuthoritative: true, answer, additional }
}

/** RFC 2308 section 3: the SOA says for how long. RFC 6604 section 3: the last name's RCODE counts. */
function negative(rcode: Rcode, zone: Zone, answer: readonly WireRRset[]): Outcome {
  return { ...onlyRcode(rcode), isAuthoritative: true, answer, authority: [zone.soa] }
}

type Cut = Extract<Match, { is: 'cut' }>

function referral(ask: Ask, zone: Zone, { ns, ds }: Cut, answer: readonly WireRRset[]): Outcome {
  const targets = targetsOf(ns)
  const isInside = (target: string) => isWithin(target, ns.name)
  return {
    rcode: RCODE.NOERROR,
    // RFC 1035 section 4.1.1: AA speaks of the first owner name, so an alias of ours keeps it.
    isAuthoritative: answer.length > 0,
    answer,
    // RFC 4035 section 3.1.4: the DS goes with the referral, to those who asked for DNSSEC.
    authority: ask.isDnssecOk && ds !== undefined ? [ns, ds] : [ns],
    glue: targets.filter(isInside).flatMap((target) => zone.addressesAt(target)),
    additional: targets.filter((t) => !isInside(t)).flatMap((t) => siblingAddresses(t, zone, ask)),
  }
}

/** RFC 9471 section 3.2: a nameserver under another cut of the zone has its glue here as well. */
function siblingAddresses(target: string, zone: Zone, { zones }: Ask): readonly WireRRset[] {
  const held = zone.addressesAt(target)
  return held.length > 0 ? held : addressesOf(target, zones)
}

const POINTS_AT_HOST: ReadonlySet<number> = new Set([TYPE.MX, TYPE.NS, TYPE.SRV])

/** RFC 1035 section 3.3.9, RFC 2782: the hosts that an MX, NS or SRV names will be asked for next. */
function addressesFor(rrset: WireRRset, zones: Zones): readonly WireRRset[] {
  if (!POINTS_AT_HOST.has(rrset.type)) return []
  return targetsOf(rrset).flatMap((target) => addressesOf(target, zones))
}

/** The addresses that we hold with authority; what lies under a cut is glue, and not ours to tell. */
function addressesOf(name: string, zones: Zones): readonly WireRRset[] {
  const match = zones.find(name)?.find(name, TYPE.A)
  if (match?.is !== 'node') return []
  const rrsets = [TYPE.A, TYPE.AAAA].flatMap((type) => match.node.get(type) ?? [])
  return rrsets.map((rrset) => ({ ...rrset, name }))
}

function targetsOf({ records }: WireRRset): string[] {
  return [...new Set(records.flatMap(({ target }) => target ?? []))]
}
