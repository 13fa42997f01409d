import { BlockList, isIP } from 'node:net'

// The registries of RFC 6890: addresses not reachable over the public Internet.
const PRIVATE_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
const PRIVATE_V6 = [
  '::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '100:0:0:1::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
]

const privateRanges = new BlockList()
for (const range of PRIVATE_V4) addRange(range, 'ipv4')
for (const range of PRIVATE_V6) addRange(range, 'ipv6')

function addRange(range: string, family: 'ipv4' | 'ipv6'): void {
  const [network, bits] = range.split('/')
  privateRanges.addSubnet(network!, Number(bits), family)
}

/**
 * Whether an address is loopback, private, for documentation or otherwise not public, or no
 * address.
 */
export function isPrivateAddress(written: string): boolean {
  const address = unmapped(written)
  const family = isIP(address)
  return family === 0 || privateRanges.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/**
 * The IPv4 address that an IPv6 address stands for, however it is written: `::ffff:192.0.2.1` (RFC 4291 section
 * 2.5.5.2) and `64:ff9b::192.0.2.1`, which a NAT64 translates (RFC 6052 section 2.1).
 */
function unmapped(address: string): string {
  if (isIP(address) !== 6) return address
  const host = new URL(`http://[${address.replace(/%.*/, '')}]`).hostname.slice(1, -1)
  const mapped = /^(?:::ffff|64:ff9b:)(?::([0-9a-f]{1,4}))?:([0-9a-f]{1,4})$/.exec(host)
  if (!mapped) return address
  const [high, low] = mapped.slice(1).map((part) => Number.parseInt(part ?? '0', 16))
  return [high! >> 8, high! & 255, low! >> 8, low! & 255].join('.')
}

export const isLoopback = (address: string): boolean =>
  address === '::1' || (isIP(address) === 4 && address.startsWith('127.'))

/** Parses `ip[:port]` or `[ipv6]:port`; undefined for any other text. */
export function parseEndpoint(written: string, defaultPort: number): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(written.trim())
  const address = match?.[1] ?? match?.[2] ?? (isIP(written.trim()) === 6 ? written.trim() : '')
  const port = Number(match?.[3] ?? defaultPort)
  // RFC 3986 section 3.2.2: an address in brackets is one of IPv6.
  const isWritten = match?.[1] === undefined ? isIP(address) !== 0 : isIP(address) === 6
  return isWritten && port <= 65_535 ? { address, port } : undefined
}

/** A socket address; for port 0 the system chooses a free port. */
export type Endpoint = { address: string; port: number }

export const writeEndpoint = ({ address, port }: Endpoint): string =>
  isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
