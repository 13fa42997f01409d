/**
 * Turns the octets of a query into those of its reply: RFC 1034 section 4.3.2, the algorithm of a
 * nameserver that does not recurse, on the store. Uses no socket and no clock, and allocates nothing for
 * a query, so that garbage collection never delays one.
 */
import { CLASS, RCODE, TYPE } from '#dns/types.ts'
import { Query } from './question.ts'
import { ReplyWriter, SECTION, UDP_SIZE } from './reply-writer.ts'
import { FLAG } from './store/layout.ts'
import type { StoreView } from './store/view.ts'
import { NOWHERE, ZoneReader } from './store/zone-reader.ts'
import { WireName } from './wire-name.ts'
import { ZoneFinder } from './zone-finder.ts'

export type Transport = 'udp' | 'tcp'

/** The kind of a reply, for rate limiting. */
export type Kind = 'answer' | 'referral' | 'nxdomain' | 'nodata' | 'error'

/** DNS cookies: the option in the OPT of a reply. */
export type Cookies = {
  /** Reads the options of the query's OPT; false when they are malformed. */
  read(message: Uint8Array, start: number, end: number): boolean
  /** The option for the reply, if any. */
  readonly option: Uint8Array | undefined
}

const MIN_UDP_SIZE = 512
const MAX_TCP_SIZE = 65_535
const MAX_ALIASES = 8
/**
 * Octets before the host name in the rdata of the types that name a host (RFC 1035 section 3.3.9,
 * RFC 2782).
 */
const MX_PREFIX = 2
const SRV_PREFIX = 6
const MAX_TARGETS = 64

export class Responder {
  readonly query: Query
  /**
   * The kind of the last reply, and the name that it counts for: the question's; the encloser, where a
   * wildcard stands for any number of names; the cut of a referral; the apex for an absence.
   */
  kind: Kind = 'error'
  nameHash = 0
  readonly #view: StoreView
  readonly #finder: ZoneFinder
  readonly #reply: ReplyWriter
  readonly #cookies: Cookies | undefined
  readonly #zone = new ZoneReader()
  readonly #other = new ZoneReader()
  /** The names that an answer goes through: the question's, then the target of each alias. */
  readonly #chain: readonly WireName[]
  readonly #targets: readonly WireName[]
  /** The zone that answers the question. */
  #askedLabel = NOWHERE
  /** The result of a walk: a node, or a cut at a label. */
  #node = NOWHERE
  #cutLabel = NOWHERE
  /** The label of the wildcard's encloser; 0 when the name itself exists. */
  #wildcardLabel = 0

  constructor(view: StoreView, cookies?: Cookies) {
    const { seed } = view.shared
    this.#view = view
    this.#cookies = cookies
    this.query = new Query(seed)
    this.#finder = new ZoneFinder(view)
    this.#reply = new ReplyWriter(this.query)
    const names = (count: number) => Array.from({ length: count }, () => new WireName(seed))
    this.#chain = [this.query.name, ...names(MAX_ALIASES)]
    this.#targets = names(MAX_TARGETS)
  }

  /**
   * Answers the message between two offsets, within the limit of the transport and the client; returns
   * the length of the reply, or 0 for none.
   */
  answer(
    message: Uint8Array,
    start: number,
    end: number,
    transport: Transport,
    out: Uint8Array,
    outStart: number,
  ): number {
    const { query } = this
    this.#finder.waitingCount = 0
    if (!query.read(message, start, end)) return 0
    this.#readCookie(message)
    this.kind = 'error'
    this.nameHash = 0
    this.#reply.begin(message, start, out, outStart, this.#sizeLimit(transport))
    if (query.rcode === RCODE.NOERROR) this.#respond()
    else this.#opt()
    if (this.#reply.isTooLong) {
      this.#reply.rewind()
      this.#opt()
    }
    return this.#reply.finish()
  }

  /** Calls `call` for each suffix of the question's name that waits for a query. */
  eachWaiting(call: (name: WireName, label: number) => void): void {
    for (let i = 0; i < this.#finder.waitingCount; i++) {
      call(this.query.name, this.#finder.waitingLabels[i]!)
    }
  }

  #readCookie(message: Uint8Array): void {
    const { query } = this
    if (this.#cookies === undefined) return
    const [start, end] = query.hasEdns ? [query.optionsStart, query.optionsEnd] : [0, 0]
    if (this.#cookies.read(message, start, end)) return
    query.rcode = RCODE.FORMERR
    query.hasQuestion = false
  }

  #sizeLimit(transport: Transport): number {
    if (transport === 'tcp') return MAX_TCP_SIZE
    const asked = this.query.hasEdns ? this.query.udpSize : MIN_UDP_SIZE
    // RFC 6891 section 6.2.3: a size below 512 means 512.
    return Math.min(Math.max(asked, MIN_UDP_SIZE), UDP_SIZE)
  }

  #respond(): void {
    const { query } = this
    // We have class IN only, and zone transfers are answered elsewhere.
    const isServed = query.isOurClass && query.type !== TYPE.AXFR && query.type !== TYPE.IXFR
    this.#view.enter()
    try {
      this.#askedLabel = isServed
        ? this.#finder.findAsked(query.name, query.type, this.#zone)
        : NOWHERE
      if (this.#askedLabel === NOWHERE) this.#refuse()
      else this.#follow(this.#askedLabel)
    } finally {
      this.#view.leave()
    }
  }

  #refuse(): void {
    this.#reply.rcode = RCODE.REFUSED
    this.#opt()
  }

  /** Answers for the question's name and the targets of aliases. */
  #follow(askedLabel: number): void {
    const { query } = this
    let apexLabel = askedLabel
    // RFC 1035 section 6.2: no server has authority over every class.
    this.#reply.isAuthoritative = query.class !== CLASS.ANY
    for (let aliases = 0; ; aliases++) {
      const name = this.#chain[aliases]!
      if (!this.#walk(name, apexLabel)) {
        this.#referral(name, apexLabel, aliases)
        return
      }
      const rrset = this.#node === NOWHERE ? NOWHERE : this.#pick()
      if (rrset === NOWHERE) {
        this.#negative(this.#node === NOWHERE ? RCODE.NXDOMAIN : RCODE.NOERROR, name, apexLabel)
        return
      }
      // RFC 1034 section 4.3.2: the owner of a synthesized record is the name asked for.
      this.#reply.needed(SECTION.answer, name, 0, this.#zone, rrset)
      if (aliases === 0) this.#saysOf('answer', query.name, this.#wildcardLabel)
      const isAlias = this.#isAlias(rrset)
      apexLabel = isAlias ? this.#next(rrset, aliases) : NOWHERE
      if (apexLabel === NOWHERE) {
        this.#opt()
        if (!isAlias) this.#addHosts(rrset)
        return
      }
    }
  }

  /**
   * Walks from the apex down to the name; stops at a cut, or where no further label exists. True with
   * the node, or with `NOWHERE`; false at a cut.
   */
  #walk(name: WireName, apexLabel: number): boolean {
    const zone = this.#zone
    this.#wildcardLabel = 0
    if (!zone.has(FLAG.cuts)) {
      this.#node = zone.nodeAt(name, 0)
      if (this.#node !== NOWHERE || !zone.has(FLAG.wildcards)) return true
    }
    this.#node = zone.apexNode
    for (let label = apexLabel - 1; label >= 0; label--) {
      const node = zone.nodeAt(name, label)
      if (node === NOWHERE) {
        // RFC 4592 section 3.3.1: the source of synthesis is the wildcard right below the closest encloser.
        this.#node = zone.wildcardAt(name, label + 1)
        this.#wildcardLabel = label + 1
        return true
      }
      this.#node = node
      // RFC 4035 section 3.1.4.1: at a cut, only the DS belongs to the parent.
      const isOurs = this.query.type === TYPE.DS && label === 0
      if (!isOurs && zone.rrset(node, TYPE.NS) !== NOWHERE) {
        this.#cutLabel = label
        return false
      }
    }
    return true
  }

  /** Picks the rrset that answers the type at the node. */
  #pick(): number {
    // RFC 8482 section 4.1: one rrset is a sufficient answer to ANY.
    if (this.query.type === TYPE.ANY) return this.#zone.firstRRset(this.#node)
    const rrset = this.#zone.rrset(this.#node, this.query.type)
    return rrset === NOWHERE ? this.#zone.rrset(this.#node, TYPE.CNAME) : rrset
  }

  #isAlias(rrset: number): boolean {
    const { type } = this.query
    return this.#zone.type(rrset) === TYPE.CNAME && type !== TYPE.CNAME && type !== TYPE.ANY
  }

  /**
   * Follows an alias to its target, if we may: only inside the zone asked and zones it delegates to us.
   * Resolvers believe nothing beyond it, and another workspace's unpublished zone must not turn a
   * customer's alias into NXDOMAIN. Returns the label of the apex in the next name, or `NOWHERE`.
   */
  #next(rrset: number, aliases: number): number {
    if (aliases + 1 >= MAX_ALIASES) return NOWHERE
    const target = this.#chain[aliases + 1]!
    if (!this.#zone.readTarget(this.#zone.firstRecord(rrset), 0, target)) return NOWHERE
    for (let i = 0; i <= aliases; i++) if (target.equals(this.#chain[i]!)) return NOWHERE
    const { name, type } = this.query
    if (!target.isWithin(name, this.#askedLabel)) return NOWHERE
    return this.#finder.findFor(target, type, this.#zone)
  }

  /** Adds the addresses of the hosts that an MX, NS or SRV names: resolvers ask for them next. */
  #addHosts(rrset: number): void {
    const type = this.#zone.type(rrset)
    if (type !== TYPE.MX && type !== TYPE.NS && type !== TYPE.SRV) return
    const prefix = type === TYPE.NS ? 0 : type === TYPE.MX ? MX_PREFIX : SRV_PREFIX
    const count = this.#readTargets(rrset, prefix)
    for (let i = 0; i < count; i++) this.#addAddresses(this.#targets[i]!)
  }

  /** RFC 2308 section 3: the SOA bounds the caching. RFC 6604 section 3: the last name's RCODE counts. */
  #negative(rcode: number, name: WireName, apexLabel: number): void {
    this.#reply.rcode = rcode
    const soa = this.#zone.rrset(this.#zone.apexNode, TYPE.SOA)
    this.#reply.needed(SECTION.authority, name, apexLabel, this.#zone, soa)
    this.#saysOf(rcode === RCODE.NXDOMAIN ? 'nxdomain' : 'nodata', name, apexLabel)
    this.#opt()
  }

  #referral(name: WireName, apexLabel: number, aliases: number): void {
    const zone = this.#zone
    const cut = this.#cutLabel
    const ns = zone.rrset(this.#node, TYPE.NS)
    const ds = zone.rrset(this.#node, TYPE.DS)
    // RFC 1035 section 4.1.1: AA concerns the first owner name, so an alias of ours keeps it.
    if (aliases === 0) this.#reply.isAuthoritative = false
    this.#reply.needed(SECTION.authority, name, cut, zone, ns)
    // RFC 4035 section 3.1.4: the DS goes with the referral, if the query asks for DNSSEC.
    if (this.query.isDnssecOk && ds !== NOWHERE) {
      this.#reply.needed(SECTION.authority, name, cut, zone, ds)
    }
    this.#saysOf('referral', name, cut)
    this.#opt()
    const count = this.#readTargets(ns, 0)
    for (let i = 0; i < count; i++) this.#addGlue(this.#targets[i]!, name, cut)
    for (let i = 0; i < count; i++) this.#addSibling(this.#targets[i]!, name, cut, apexLabel)
  }

  /** RFC 9471 section 3.1: the addresses of hosts below the cut are required. */
  #addGlue(target: WireName, name: WireName, cut: number): void {
    if (!target.isWithin(name, cut)) return
    const node = this.#zone.nodeAt(target, 0)
    if (node === NOWHERE) return
    this.#addNeeded(target, node, TYPE.A)
    this.#addNeeded(target, node, TYPE.AAAA)
  }

  #addNeeded(target: WireName, node: number, type: number): void {
    const rrset = this.#zone.rrset(node, type)
    if (rrset !== NOWHERE) this.#reply.needed(SECTION.additional, target, 0, this.#zone, rrset)
  }

  /** RFC 9471 section 3.2: a nameserver under another cut of the zone has its glue here as well. */
  #addSibling(target: WireName, name: WireName, cut: number, apexLabel: number): void {
    if (target.isWithin(name, cut)) return
    const node = target.isWithin(name, apexLabel) ? this.#zone.nodeAt(target, 0) : NOWHERE
    if (node !== NOWHERE && this.#addHelpful(this.#zone, target, node)) return
    this.#addAddresses(target)
  }

  /** Adds the addresses that we are authoritative for; below a cut they are glue, and left out. */
  #addAddresses(target: WireName): void {
    const label = this.#finder.find(target, 0, this.#other)
    if (label === NOWHERE) return
    const node = this.#finder.nodeWithAuthority(this.#other, target, label)
    if (node !== NOWHERE) this.#addHelpful(this.#other, target, node)
  }

  /** Returns whether there were any. */
  #addHelpful(zone: ZoneReader, target: WireName, node: number): boolean {
    const a = zone.rrset(node, TYPE.A)
    const aaaa = zone.rrset(node, TYPE.AAAA)
    if (a !== NOWHERE) this.#reply.helpful(target, 0, zone, a)
    if (aaaa !== NOWHERE) this.#reply.helpful(target, 0, zone, aaaa)
    return a !== NOWHERE || aaaa !== NOWHERE
  }

  /** Reads the distinct hosts that an rrset names; ignores more than `MAX_TARGETS`. */
  #readTargets(rrset: number, prefix: number): number {
    const zone = this.#zone
    let count = 0
    let record = zone.firstRecord(rrset)
    for (let left = zone.count(rrset); left > 0 && count < MAX_TARGETS; left--) {
      const target = this.#targets[count]!
      if (zone.readTarget(record, prefix, target) && !this.#isAmongTargets(target, count)) count++
      record = zone.nextRecord(record)
    }
    return count
  }

  #isAmongTargets(target: WireName, count: number): boolean {
    for (let i = 0; i < count; i++) if (target.equals(this.#targets[i]!)) return true
    return false
  }

  #saysOf(kind: Kind, name: WireName, label: number): void {
    this.kind = kind
    this.nameHash = name.hashes[label]!
  }

  #opt(): void {
    if (this.query.hasEdns) this.#reply.opt(this.#cookies?.option)
  }
}
