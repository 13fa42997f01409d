/** The source address of a query, in reused memory. */
import { isIPv4 } from 'node:net'
import type { Seed } from '../store/shared.ts'

/** The usual network of one customer: a /24 of IPv4, a /56 of IPv6. */
const PREFIX_OCTETS_V4 = 3
const PREFIX_OCTETS_V6 = 7

export class Remote {
  readonly octets = new Uint8Array(16)
  /** 4 or 16 octets. */
  length = 4

  set(bytes: Uint8Array, at: number, length: number): void {
    this.length = length
    for (let i = 0; i < length; i++) this.octets[i] = bytes[at + i]!
  }

  /** Parses an address; an invalid one becomes all zeros. */
  setText(address: string): void {
    this.octets.fill(0)
    this.length = isIPv4(address) ? 4 : 16
    if (this.length === 4) this.#setV4(address)
    else this.#setV6(address)
  }

  /** An equivalent address; IPv6 is not shortened. */
  get text(): string {
    const octets = [...this.octets.subarray(0, this.length)]
    if (this.length === 4) return octets.join('.')
    const groups = Array.from({ length: 8 }, (_, i) => octets[2 * i]! * 256 + octets[2 * i + 1]!)
    return groups.map((group) => group.toString(16)).join(':')
  }

  get isLoopback(): boolean {
    if (this.length === 4) return this.octets[0] === 127
    for (let i = 0; i < 15; i++) if (this.octets[i] !== 0) return false
    return this.octets[15] === 1
  }

  /** Equal for all addresses of a prefix. */
  prefixHash({ start, multiplier }: Seed): number {
    const length = this.length === 4 ? PREFIX_OCTETS_V4 : PREFIX_OCTETS_V6
    let hash = start ^ this.length
    for (let i = 0; i < length; i++) {
      hash = Math.imul(hash ^ this.octets[i]!, multiplier)
      hash ^= hash >>> 15
    }
    return hash
  }

  #setV4(address: string): void {
    let at = 0
    for (let i = 0; i < address.length; i++) {
      const digit = address.charCodeAt(i) - 0x30
      if (digit < 0) at++
      else this.octets[at] = 10 * this.octets[at]! + digit
    }
  }

  #setV6(address: string): void {
    const [left = [], right = []] = address
      .replace(/%.*/, '')
      .split('::')
      .map((half) => (half === '' ? [] : half.split(':')))
    const groups = [
      ...left,
      ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'),
      ...right,
    ]
    for (const [i, group] of groups.slice(0, 8).entries()) {
      const number = Number.parseInt(group, 16)
      this.octets[2 * i] = number >> 8
      this.octets[2 * i + 1] = number
    }
  }
}
