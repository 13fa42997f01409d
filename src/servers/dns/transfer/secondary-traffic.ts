/**
 * Finds the messages that secondaries send. It reads every packet, so it works in place and allocates
 * nothing.
 */
import { lastRecordType, nameEnd } from '#dns/message-shape.ts'
import { nameToWire } from '#dns/name.ts'
import { HEADER_OCTETS } from '#dns/query.ts'
import { TYPE } from '#dns/types.ts'
import { Remote } from '../defence/remote.ts'
import { LOWERCASE } from '../wire-name.ts'

/** What the answering threads know of secondaries. */
export type TransferTerms = {
  /** Addresses that may transfer unsigned. */
  addresses: readonly string[]
  /** Absolute and lowercase. */
  catalogApex: string | undefined
}

const QR = 0x80

export class SecondaryTraffic {
  readonly #catalog: Uint8Array | undefined
  readonly #addresses: readonly Uint8Array[]

  constructor({ addresses, catalogApex }: TransferTerms) {
    this.#catalog = catalogApex === undefined ? undefined : nameToWire(catalogApex)
    this.#addresses = addresses.map(octetsOf)
  }

  /**
   * Whether a message is signed, or asks for a transfer or the catalog from a listed address. The
   * ordinary answer refuses other unsigned requests for these.
   */
  includes(message: Uint8Array, start: number, end: number, remote: Remote): boolean {
    if (end - start < HEADER_OCTETS || (message[start + 2]! & QR) !== 0) return false
    if (isSigned(message, start, end)) return true
    if (this.#addresses.length === 0) return false
    return asksForSecondaries(message, start, end, this.#catalog) && this.#isListed(remote)
  }

  #isListed({ octets, length }: Remote): boolean {
    for (const address of this.#addresses) {
      let same = 0
      while (same < length && address[same] === octets[same]) same++
      if (same === length && address.length === length) return true
    }
    return false
  }
}

/** RFC 8945 section 5.1: a TSIG record is the last one of its message. */
export const isSigned = (message: Uint8Array, start: number, end: number): boolean =>
  lastRecordType(message, start, end) === TYPE.TSIG

/** Whether the question is for a transfer, or for a name within the catalog of this apex. */
export function asksForSecondaries(
  message: Uint8Array,
  start: number,
  end: number,
  catalog: Uint8Array | undefined,
): boolean {
  const at = nameEnd(message, start + HEADER_OCTETS, end)
  if (at + 2 > end) return false
  const type = message[at]! * 256 + message[at + 1]!
  if (type === TYPE.AXFR || type === TYPE.IXFR) return true
  return catalog !== undefined && endsWith(message, start + HEADER_OCTETS, at, catalog)
}

/** Whether the octets before `end` equal the name, in any case. */
function endsWith(message: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  const from = end - name.length
  if (from < start) return false
  for (let i = 0; i < name.length; i++) {
    if (LOWERCASE[message[from + i]!] !== LOWERCASE[name[i]!]) return false
  }
  return true
}

function octetsOf(address: string): Uint8Array {
  const remote = new Remote()
  remote.setText(address)
  return remote.octets.slice(0, remote.length)
}
