/** The zones in the store, in the form that secondaries receive. */
import { nameOf, readLabels } from '#dns/name.ts'
import { TYPE } from '#dns/types.ts'
import { apexOfBlob, lowercaseWire } from '../store/encode.ts'
import { u16 } from '../store/layout.ts'
import type { ZoneStore } from '../store/store.ts'
import { StoreView } from '../store/view.ts'
import { ZoneReader } from '../store/zone-reader.ts'
import { WireName } from '../wire-name.ts'
import { ZoneFinder } from '../zone-finder.ts'
import type { TransferRRset, TransferSource, TransferZone } from './source.ts'

/** All transfers of one version share one copy of a larger zone. */
const LARGE_OCTETS = 2 ** 16

/** To be used in the thread that writes the store: elsewhere, zones could change while they are read. */
export class ServedZones implements TransferSource {
  readonly #view: StoreView
  readonly #finder: ZoneFinder
  readonly #name: WireName
  readonly #found = new ZoneReader()
  readonly #members = new Map<string, string>()
  readonly #large = new Map<string, WeakRef<TransferZone>>()

  constructor({ shared }: Pick<ZoneStore, 'shared'>) {
    this.#view = new StoreView(shared)
    this.#finder = new ZoneFinder(this.#view)
    this.#name = new WireName(shared.seed)
  }

  /**
   * To be called when the zone at an apex changes: notes its label in the catalog. Without one, no
   * secondary gets the zone.
   */
  setMember(apex: string, memberId: string | undefined): void {
    this.#large.delete(apex)
    if (memberId === undefined) this.#members.delete(apex)
    else this.#members.set(apex, memberId)
  }

  /** A copy, so that a long transfer stays at one version. */
  zone(apex: string): TransferZone | undefined {
    const memberId = this.#members.get(apex)
    if (memberId === undefined) return undefined
    const wire = lowercaseWire(apex)
    if (!this.#name.read(wire, 0, wire.length)) return undefined
    this.#view.enter()
    if (this.#finder.find(this.#name, 0, this.#found) !== 0) return undefined
    return this.#large.get(apex)?.deref() ?? this.#copy(apex, memberId)
  }

  #copy(apex: string, memberId: string): TransferZone {
    const { blob } = this.#found
    const zone = transferZone(memberId, Buffer.from(blob))
    if (blob.length > LARGE_OCTETS) this.#large.set(apex, new WeakRef(zone))
    return zone
  }
}

function transferZone(memberId: string, blob: Buffer): TransferZone {
  const zone = new ZoneReader()
  zone.openBlob(blob)
  const apex = textOf(apexOfBlob(blob))
  const soa = zone.rrset(zone.apexNode, TYPE.SOA)
  return { memberId, soa: rrsetAt(zone, soa, apex), rrsets: () => rrsetsOf(zone, blob) }
}

function* rrsetsOf(zone: ZoneReader, blob: Buffer): Generator<TransferRRset> {
  const apex = apexOfBlob(blob)
  for (let place = 0; place < zone.nodes; place++) {
    const at = zone.nameOfNode(place)
    const node = at + 1 + blob[at]!
    const name = textOf(blob.subarray(at + 1, node), apex)
    let rrset = zone.firstRRset(node)
    for (let left = zone.rrsetsOf(node); left > 0; left--) {
      if (zone.type(rrset) !== TYPE.SOA) yield rrsetAt(zone, rrset, name)
      rrset = zone.nextRRset(rrset)
    }
  }
}

function rrsetAt(zone: ZoneReader, rrset: number, name: string): TransferRRset {
  const records: { octets: Buffer }[] = []
  let record = zone.firstRecord(rrset)
  for (let left = zone.count(rrset); left > 0; left--) {
    records.push({ octets: rdataAt(zone, rrset, record) })
    record = zone.nextRecord(record)
  }
  return { name, type: zone.type(rrset), ttl: zone.ttl(rrset), records }
}

function rdataAt(zone: ZoneReader, rrset: number, record: number): Buffer {
  if (!zone.isPacked(rrset)) {
    return zone.bytes.subarray(record + 2, record + 2 + u16(zone.bytes, record))
  }
  const octets = Buffer.alloc(zone.unpackedOctets(record))
  zone.unpack(rrset, record, octets, 0)
  return octets
}

const textOf = (...parts: readonly Uint8Array[]): string =>
  nameOf(readLabels(Buffer.concat(parts)).labels)
