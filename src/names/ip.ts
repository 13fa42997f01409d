import { BlockList, isIP } from 'node:net'

// RFC 6890 and its registry: what is never reached over the public Internet.
const PRIVATE_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
const PRIVATE_V6 = [
  '::/128',
  '::1/128',
  '::ffff:0:0/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001:db8::/32',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
]

const privateRanges = new BlockList()
for (const range of PRIVATE_V4) addRange(range, 'ipv4')
for (const range of PRIVATE_V6) addRange(range, 'ipv6')

function addRange(range: string, family: 'ipv4' | 'ipv6'): void {
  const [network, bits] = range.split('/')
  privateRanges.addSubnet(network!, Number(bits), family)
}

/** Whether an address is loopback, private, documentation or otherwise not public. Not an address: true. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address)
  return family === 0 || privateRanges.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

export const isLoopback = (address: string): boolean => address === '::1' || /^127\./.test(address)

/** `ip[:port]` or `[ipv6]:port`; undefined when it is neither. */
export function parseEndpoint(written: string, defaultPort: number): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(written.trim())
  const address = match?.[1] ?? match?.[2] ?? (isIP(written.trim()) === 6 ? written.trim() : '')
  const port = Number(match?.[3] ?? defaultPort)
  return isIP(address) !== 0 && port <= 65_535 ? { address, port } : undefined
}

/** A socket address; port 0 asks for a free one. */
export type Endpoint = { address: string; port: number }

export const writeEndpoint = ({ address, port }: Endpoint): string =>
  isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
