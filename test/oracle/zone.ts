/**
 * One zone as a tree of names: what it holds at a name, and what it does not. Knows nothing of
 * messages, nor of other zones.
 */

import { canonicalName, isWithin, suffixesOf, wildcardOf } from '#dns/name.ts'
import { type ServedRRset, toWireRRset, type WireRRset } from '#dns/rdata.ts'
import { TYPE } from '#dns/types.ts'
import type { ServedZone } from '#servers/dns/zone.ts'

/** The rrsets at one name by type. An empty non-terminal is an empty node. */
export type Node = ReadonlyMap<number, WireRRset>

/** What a zone says of a name. */
export type Match =
  | { is: 'node'; node: Node }
  | { is: 'cut'; ns: WireRRset; ds: WireRRset | undefined }
  | { is: 'absent' }

const ABSENT: Match = { is: 'absent' }

export class Zone {
  readonly apex: string
  readonly nameservers: readonly string[]
  readonly isUnconfirmed: boolean
  readonly #nodes = new Map<string, Map<number, WireRRset>>()
  readonly #depth: number

  /** Throws at rdata or a name that cannot be served. */
  constructor(served: ServedZone) {
    this.apex = canonicalName(served.apex)
    this.nameservers = served.nameservers.map(canonicalName)
    this.isUnconfirmed = served.isUnconfirmed ?? false
    this.#depth = suffixesOf(this.apex).length
    for (const rrset of [...served.rrsets, ...dsOf(served), ...apexOf(served)]) {
      if (rrset.data.length > 0) this.#put(toWireRRset(rrset))
    }
  }

  get soa(): WireRRset {
    return this.#nodes.get(this.apex)!.get(TYPE.SOA)!
  }

  /** Walks from the apex down to the name, and stops at a cut or where the names end. */
  find(name: string, type: number): Match {
    let encloser = this.apex
    for (const below of this.#pathTo(name)) {
      const node = this.#nodes.get(below)
      if (node === undefined) return this.#synthesize(encloser)
      const ns = node.get(TYPE.NS)
      // RFC 4035 section 3.1.4.1: of what stands at a cut, the DS alone belongs to the parent.
      const isOurs = ns === undefined || (type === TYPE.DS && below === name)
      if (!isOurs) return { is: 'cut', ns, ds: node.get(TYPE.DS) }
      encloser = below
    }
    return { is: 'node', node: this.#nodes.get(encloser)! }
  }

  /** The addresses held at a name, glue or not. */
  addressesAt(name: string): readonly WireRRset[] {
    const node = this.#nodes.get(name)
    return [TYPE.A, TYPE.AAAA].flatMap((type) => node?.get(type) ?? [])
  }

  /** Is there a cut at the child's apex that names exactly the child's nameservers? */
  delegates(child: Zone): boolean {
    const match = this.find(child.apex, TYPE.NS)
    if (match.is !== 'cut' || match.ns.name !== child.apex) return false
    const named = new Set(match.ns.records.map(({ target }) => target))
    return named.symmetricDifference(new Set<string | undefined>(child.nameservers)).size === 0
  }

  #pathTo(name: string): string[] {
    return suffixesOf(name).reverse().slice(this.#depth)
  }

  /** RFC 4592 section 3.3.1: the source of synthesis is the wildcard right below the closest encloser. */
  #synthesize(closestEncloser: string): Match {
    const node = this.#nodes.get(wildcardOf(closestEncloser))
    return node === undefined ? ABSENT : { is: 'node', node }
  }

  #put(rrset: WireRRset): void {
    if (!isWithin(rrset.name, this.apex)) throw new RangeError(`${rrset.name} not in ${this.apex}`)
    // RFC 4592 section 2.2.2: the names above a name exist, though they hold nothing.
    for (const name of [this.apex, ...this.#pathTo(rrset.name)]) {
      if (!this.#nodes.has(name)) this.#nodes.set(name, new Map())
    }
    this.#nodes.get(rrset.name)!.set(rrset.type, rrset)
  }
}

function apexOf({ apex, nameservers, serial, ...ttls }: ServedZone): ServedRRset[] {
  const { negativeTtl = 60, nsTtl = 3600 } = ttls
  if (nameservers.length === 0) throw new RangeError(`No nameserver for ${apex}`)
  const rname = apex === '.' ? 'hostmaster.' : `hostmaster.${apex}`
  // RFC 2308 section 3: an absence lasts for the lesser of the SOA's TTL and its minimum: make them one.
  const soa = `${nameservers[0]} ${rname} ${serial} 14400 3600 1209600 ${negativeTtl}`
  return [
    { name: apex, type: 'SOA', ttl: negativeTtl, data: [soa] },
    { name: apex, type: 'NS', ttl: nsTtl, data: nameservers },
  ]
}

/** RFC 4035 section 2.4: the TTL of a DS is that of the delegation. */
function dsOf({ ds = [], rrsets, nsTtl = 3600 }: ServedZone): ServedRRset[] {
  const ttls = new Map(rrsets.filter(({ type }) => type === 'NS').map((ns) => [ns.name, ns.ttl]))
  return ds.map(({ name, data }) => ({ name, type: 'DS', ttl: ttls.get(name) ?? nsTtl, data }))
}
