/** Compares networks by their bits, because a network has several spellings. */
import { isIPv4 } from 'node:net'

/** A canonical text of the network of a valid address: its bits within the prefix length. */
export function networkOf(address: string, prefix: number): string {
  const [bits, width] = isIPv4(address) ? [bits4(address), 32] : [bits6(address), 128]
  const open = BigInt(width - prefix)
  return `${width} ${(bits >> open) << open}/${prefix}`
}

const bits4 = (address: string): bigint =>
  address.split('.').reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n)

/** The URL parser writes groups of hexadecimal digits, without dots and with one `::` at most. */
function bits6(address: string): bigint {
  const host = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = host.split('::')
  const left = head.split(':').filter(Boolean)
  const right = tail?.split(':').filter(Boolean) ?? []
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...zeros, ...right].reduce(
    (bits, group) => (bits << 16n) | BigInt(`0x${group}`),
    0n,
  )
}
