/**
 * The catalog zone (RFC 9432, schema version 2): a zone whose records name our zones, from which
 * secondaries learn what to serve. This module holds its content; `catalog-keeper.ts` changes it.
 */
import { nameToWire } from '#dns/name.ts'
import { TYPE } from '#dns/types.ts'
import { Members } from './members.ts'
import { behindBy } from './serial.ts'
import { type CatalogChange, CHANGES_KEPT, type TransferRRset } from './source.ts'

/** RFC 9432 section 4.1: the NS is `invalid.`; no resolver asks for a catalog, so TTLs do not matter. */
const INVALID = nameToWire('invalid.')
const TTL_S = 0
/** NOTIFY announces changes at once; a lost one costs a minute. */
const [REFRESH_S, RETRY_S, EXPIRE_S, MINIMUM_S] = [60, 30, 14 * 24 * 3600, 0]

/** The changes between a secondary's version and ours. */
export type Difference = { before: TransferRRset; removed: TransferRRset[]; added: TransferRRset[] }

export class Catalog {
  /** Absolute and lowercase. */
  readonly apex: string
  #members = new Members()
  /** The latest changes; the last one made the serial. */
  #latest: CatalogChange[] = []
  #serial = 0

  constructor(apex: string) {
    this.apex = apex
  }

  /** Whether it has been read. Until then its content is meaningless. */
  get isRead(): boolean {
    return this.#serial > 0
  }

  /** Each change raises it by one; the empty catalog has serial 1. On the wire it is taken modulo 2^32. */
  get serial(): number {
    return this.#serial
  }

  get names(): Iterable<string> {
    return this.#members.names()
  }

  memberId(name: string): string | undefined {
    return this.#members.get(name)
  }

  replace(
    serial: number,
    members: readonly (readonly [string, string])[],
    latest: readonly CatalogChange[],
  ): void {
    this.#serial = serial
    this.#members = new Members()
    for (const [name, memberId] of members) this.#members.set(name, memberId)
    this.#latest = [...latest]
  }

  apply(changes: readonly CatalogChange[]): void {
    for (const change of changes) {
      if (change.isAdded) this.#members.set(change.name, change.memberId)
      else this.#members.delete(change.name)
      this.#latest.push(change)
    }
    this.#serial += changes.length
    // Trims rarely, because each trim copies the rest.
    if (this.#latest.length > CHANGES_KEPT * 1.1)
      this.#latest.splice(0, this.#latest.length - CHANGES_KEPT)
  }

  soa(serial = this.#serial): TransferRRset {
    const numbers = Buffer.alloc(20)
    for (const [index, value] of [serial, REFRESH_S, RETRY_S, EXPIRE_S, MINIMUM_S].entries())
      numbers.writeUInt32BE(value >>> 0, 4 * index)
    return rrset(this.apex, TYPE.SOA, Buffer.concat([INVALID, INVALID, numbers]))
  }

  ns(): TransferRRset {
    return rrset(this.apex, TYPE.NS, INVALID)
  }

  /** All but the SOA, as of the call. */
  rrsets(): Iterable<TransferRRset> {
    const members = this.#members.version()
    const { apex } = this
    const [ns, version] = [this.ns(), rrset(`version.${apex}`, TYPE.TXT, Buffer.from('\x012'))]
    return (function* () {
      yield* [ns, version]
      for (const [name, memberId] of members) yield memberOf(apex, name, memberId)
    })()
  }

  /**
   * The changes since a secondary's serial, merged into one (RFC 1995 section 6). `'nothing'` if it is
   * up to date, `'everything'` if the whole zone is shorter or the changes are not kept.
   */
  since(theirSerial: number): Difference | 'nothing' | 'everything' {
    const behind = behindBy(this.#serial, theirSerial)
    if (behind === undefined) return 'nothing'
    if (behind > this.#latest.length) return 'everything'
    const changes = netOf(this.#latest.slice(this.#latest.length - behind))
    if (changes.length > this.#members.size) return 'everything'
    const records = (isAdded: boolean) =>
      changes
        .filter((change) => change.isAdded === isAdded)
        .map(({ name, memberId }) => memberOf(this.apex, name, memberId))
    return { before: this.soa(theirSerial), removed: records(false), added: records(true) }
  }
}

/** Adding and removing the same member cancel out. */
function netOf(changes: readonly CatalogChange[]): CatalogChange[] {
  const net = new Map<string, CatalogChange>()
  for (const change of changes) {
    const key = `${change.memberId} ${change.name}`
    if (net.has(key)) net.delete(key)
    else net.set(key, change)
  }
  return [...net.values()]
}

/** RFC 9432 section 4.1: the member's name is the data of a PTR below a label of its own. */
function memberOf(apex: string, name: string, memberId: string): TransferRRset {
  return rrset(`${memberId}.zones.${apex}`, TYPE.PTR, nameToWire(name))
}

function rrset(name: string, type: number, octets: Buffer): TransferRRset {
  return { name, type, ttl: TTL_S, records: [{ octets }] }
}
