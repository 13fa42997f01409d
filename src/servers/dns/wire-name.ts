/** A name in wire form with the hash of each of its suffixes, in reused memory. */
import type { Seed } from './store/shared.ts'

export const MAX_NAME_OCTETS = 255
const MAX_LABEL_OCTETS = 63
const MAX_LABELS = 127

/** RFC 4343 section 3: only ASCII letters have a case. Lengths, being below 64, are unaffected. */
export const LOWERCASE = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet,
)

export class WireName {
  /** Lowercase, uncompressed, with the root octet. */
  readonly octets = new Uint8Array(MAX_NAME_OCTETS)
  length = 0
  /** The number of labels, without the root. */
  labels = 0
  /** The offset of each label; `starts[labels]` is the root. */
  readonly starts = new Uint8Array(MAX_LABELS + 1)
  /** The hash of the suffix that begins at each label. */
  readonly hashes = new Int32Array(MAX_LABELS + 1)
  readonly #seed: Seed

  constructor(seed: Seed) {
    this.#seed = seed
  }

  /** Reads an uncompressed name that ends before `end`; if false, its content is undefined. */
  read(from: Uint8Array, at: number, end: number): boolean {
    let length = 0
    let labels = 0
    for (;;) {
      if (at + length >= end) return false
      const label = from[at + length]!
      this.starts[labels] = length
      if (label === 0) break
      // RFC 1035 section 3.1: 63 octets a label (more would be a pointer), 255 a name.
      if (label > MAX_LABEL_OCTETS || length + 1 + label >= MAX_NAME_OCTETS) return false
      if (at + length + 1 + label > end) return false
      const next = length + 1 + label
      for (; length < next; length++) this.octets[length] = LOWERCASE[from[at + length]!]!
      labels++
    }
    this.octets[length] = 0
    this.length = length + 1
    this.labels = labels
    this.#hash()
    return true
  }

  /** Whether this name's suffix at one label equals the other name's suffix at another. */
  hasSuffix(label: number, other: WireName, otherLabel: number): boolean {
    if (this.hashes[label] !== other.hashes[otherLabel]) return false
    const start = this.starts[label]!
    const otherStart = other.starts[otherLabel]!
    const length = this.length - start
    if (length !== other.length - otherStart) return false
    for (let i = 0; i < length; i++) {
      if (this.octets[start + i] !== other.octets[otherStart + i]) return false
    }
    return true
  }

  equals(other: WireName): boolean {
    return this.labels === other.labels && this.hasSuffix(0, other, 0)
  }

  /** Whether the other name's suffix at a label is also a suffix of this name. */
  isWithin(other: WireName, otherLabel: number): boolean {
    const label = this.labels - (other.labels - otherLabel)
    return label >= 0 && this.hasSuffix(label, other, otherLabel)
  }

  /** From the end, so that one pass gives the hash of every suffix. */
  #hash(): void {
    const { octets, starts, hashes } = this
    const { start, multiplier } = this.#seed
    let hash = start
    let label = this.labels
    for (let i = this.length - 1; i >= 0; i--) {
      hash = Math.imul(hash ^ octets[i]!, multiplier)
      hash ^= hash >>> 15
      if (i === starts[label]) hashes[label--] = hash
    }
  }
}
