/** Finds the zone in the store that answers for a name. */
import { TYPE } from '#dns/types.ts'
import { FLAG } from './store/layout.ts'
import { EMPTY } from './store/shared.ts'
import type { StoreView } from './store/view.ts'
import { NOWHERE, ZoneReader } from './store/zone-reader.ts'
import { WireName } from './wire-name.ts'

const MAX_WAITING = 8

export class ZoneFinder {
  /** The labels of the awaited suffixes of the name that `findAsked` looked up. */
  readonly waitingLabels = new Uint8Array(MAX_WAITING)
  waitingCount = 0
  #recordsWaiting = false
  readonly #view: StoreView
  readonly #candidate = new ZoneReader()
  readonly #host: WireName
  readonly #scratch: WireName

  constructor(view: StoreView) {
    this.#view = view
    this.#host = new WireName(view.shared.seed)
    this.#scratch = new WireName(view.shared.seed)
  }

  /**
   * Opens the zone that answers for a name's suffix at a label; returns the label of its apex, or
   * `NOWHERE`. The enclosing zone answers for a zone below it, unless it delegates that apex to exactly
   * that zone's nameservers. Otherwise a claim on mail.acme.test could take answers away from another
   * workspace's acme.test, which is hosted here. Nor does a mere claim on acme.test take answers away
   * from mail.acme.test.
   */
  find(name: WireName, label: number, zone: ZoneReader): number {
    const candidate = this.#candidate
    let found = NOWHERE
    for (let at = name.labels; at >= label; at--) {
      const position = this.#view.lookup(name, at)
      if (position === EMPTY) continue
      candidate.open(this.#view, position)
      if (this.#recordsWaiting && candidate.has(FLAG.waiting)) this.#recordWaiting(at)
      if (!candidate.has(FLAG.zone)) continue
      if (found !== NOWHERE && !this.#mayAnswer(candidate, name, at, zone, found)) continue
      zone.copy(candidate)
      found = at
    }
    return found
  }

  /** The zone that answers the question; also records the suffixes of its name that domains wait for. */
  findAsked(name: WireName, type: number, zone: ZoneReader): number {
    this.#recordsWaiting = true
    const found = this.findFor(name, type, zone)
    this.#recordsWaiting = false
    return found
  }

  /** The zone that answers for one type at a name. */
  findFor(name: WireName, type: number, zone: ZoneReader): number {
    // RFC 4035 section 3.1.4.1: the parent answers for a zone's DS, if we serve it.
    if (type === TYPE.DS) {
      const above = this.find(name, Math.min(1, name.labels), zone)
      if (above !== NOWHERE) {
        this.#recordAtName(name)
        return above
      }
      this.waitingCount = 0
    }
    return this.find(name, 0, zone)
  }

  /** The authoritative node of a name in a zone: none where a cut lies above it. */
  nodeWithAuthority(zone: ZoneReader, name: WireName, apexLabel: number): number {
    let node = zone.apexNode
    for (let label = apexLabel - 1; label >= 0; label--) {
      node = zone.nodeAt(name, label)
      if (node === NOWHERE) return zone.wildcardAt(name, label + 1)
      if (zone.rrset(node, TYPE.NS) !== NOWHERE) return NOWHERE
    }
    return node
  }

  #recordAtName(name: WireName): void {
    const position = name.labels === 0 ? EMPTY : this.#view.lookup(name, 0)
    if (position === EMPTY || !this.#recordsWaiting) return
    this.#candidate.open(this.#view, position)
    if (this.#candidate.has(FLAG.waiting)) this.#recordWaiting(0)
  }

  #recordWaiting(label: number): void {
    if (this.waitingCount < MAX_WAITING) this.waitingLabels[this.waitingCount++] = label
  }

  /** Whether a zone below another answers for itself. */
  #mayAnswer(
    zone: ZoneReader,
    name: WireName,
    label: number,
    above: ZoneReader,
    apex: number,
  ): boolean {
    if (above.has(FLAG.unconfirmed) && !zone.has(FLAG.unconfirmed)) return true
    const cut = delegationOf(above, name, label, apex)
    if (cut === NOWHERE) return false
    const own = zone.rrset(zone.apexNode, TYPE.NS)
    return above.namesSameHosts(cut, zone, own, this.#host, this.#scratch)
  }
}

/** The NS rrset of a cut exactly at a label, in the zone whose apex begins at another. */
function delegationOf(zone: ZoneReader, name: WireName, label: number, apex: number): number {
  for (let at = apex - 1; at >= label; at--) {
    const node = zone.nodeAt(name, at)
    const ns = node === NOWHERE ? NOWHERE : zone.rrset(node, TYPE.NS)
    if (node === NOWHERE) return NOWHERE
    if (ns !== NOWHERE) return at === label ? ns : NOWHERE
  }
  return NOWHERE
}
