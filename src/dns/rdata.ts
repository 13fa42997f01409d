/** Rdata from presentation form to octets, one row per type. Throws at what cannot be served. */
import { isIPv4, isIPv6 } from 'node:net'
import { canonicalName, nameToWire } from './name.ts'
import type { RRsetType } from './rrset.ts'
import { TYPE } from './types.ts'

/** The rdata of one record, and the name that it points at, if it does. */
export type Rdata = { octets: Buffer; target?: string }

/** An rrset ready to be sent. */
export type WireRRset = { name: string; type: number; ttl: number; records: readonly Rdata[] }

/** The contract's types, and those that only a server needs. */
export type ServedType = RRsetType | 'DS' | 'SOA'

const MAX_TTL_SECONDS = 2 ** 31 - 1
const MAX_RDATA_OCTETS = 65_535
const MAX_STRING_OCTETS = 255

const PARSERS = {
  A: (data) => ({ octets: ipv4(data) }),
  AAAA: (data) => ({ octets: ipv6(data) }),
  CAA: (data) => ({ octets: caa(data) }),
  CNAME: (data) => pointer([], data),
  DS: (data) => ({ octets: ds(data) }),
  MX: mx,
  NS: (data) => pointer([], data),
  SOA: (data) => ({ octets: soa(data) }),
  SRV: srv,
  TXT: (data) => ({ octets: txt(data) }),
} as const satisfies Record<ServedType, (data: string) => Rdata>

export type ServedRRset = { name: string; type: ServedType; ttl: number; data: readonly string[] }

export function toWireRRset(rrset: ServedRRset): WireRRset {
  try {
    return parse(rrset)
  } catch (cause) {
    throw new RangeError(`Cannot serve ${rrset.name} ${rrset.type}: ${cause}`, { cause })
  }
}

function parse({ name, type, ttl, data }: ServedRRset): WireRRset {
  // RFC 2181 section 8: a TTL has 31 bits.
  if (!(ttl >= 0 && ttl <= MAX_TTL_SECONDS)) throw new RangeError(`Not a TTL: ${ttl}`)
  const records: Rdata[] = data.map(PARSERS[type])
  if (records.some(({ octets }) => octets.length > MAX_RDATA_OCTETS)) {
    throw new RangeError('Rdata too long')
  }
  // RFC 2181 section 5: an rrset has no record twice.
  return { name: canonicalName(name), type: TYPE[type], ttl, records: unique(records) }
}

function unique(records: readonly Rdata[]): Rdata[] {
  return [...new Map(records.map((rdata) => [rdata.octets.toString('latin1'), rdata])).values()]
}

function pointer(before: readonly Buffer[], name: string): Rdata {
  return { octets: Buffer.concat([...before, nameToWire(name)]), target: canonicalName(name) }
}

function ipv4(data: string): Buffer {
  if (!isIPv4(data)) throw malformed('A', data)
  return Buffer.from(data.split('.').map(Number))
}

function ipv6(data: string): Buffer {
  if (!isIPv6(data) || data.includes('%')) throw malformed('AAAA', data)
  const [left = [], right = []] = data.split('::').map(groupsOf)
  const zeros = Array<string>(8 - left.length - right.length).fill('0')
  return Buffer.concat(
    [...left, ...zeros, ...right].map((group) => u16(Number.parseInt(group, 16))),
  )
}

/** RFC 4291 section 2.2: the last two groups may be written as an IPv4 address. */
function groupsOf(half: string): string[] {
  const hex = half.replace(/[\d.]+$/, (tail) =>
    isIPv4(tail) ? ipv4(tail).toString('hex').replace(/^.{4}/, '$&:') : tail,
  )
  return hex === '' ? [] : hex.split(':')
}

function mx(data: string): Rdata {
  const [, preference, exchange] = fields('MX', data, /^(\d+) +(\S+)$/)
  return pointer([u16(Number(preference))], exchange!)
}

function srv(data: string): Rdata {
  const [, priority, weight, port, target] = fields('SRV', data, /^(\d+) +(\d+) +(\d+) +(\S+)$/)
  return pointer(
    [priority, weight, port].map((field) => u16(Number(field))),
    target!,
  )
}

/** RFC 8659 section 4.1: flags, the tag with its length, and the value to the end. */
function caa(data: string): Buffer {
  const [, flags, tag, written] = fields('CAA', data, /^(\d+) +([A-Za-z0-9]{1,255}) +(.*)$/s)
  const quoted = /^"(.*)"$/s.exec(written!)?.[1]
  const value = quoted === undefined ? written! : quoted.replace(/\\(.)/gs, '$1')
  return Buffer.concat([u8(Number(flags)), u8(tag!.length), Buffer.from(tag! + value)])
}

/** RFC 4034 section 5.3: key tag, algorithm, digest type, and the digest in hexadecimal. */
function ds(data: string): Buffer {
  const form = /^(\d+) +(\d+) +(\d+) +((?:[0-9a-f]{2} *)+)$/i
  const [, keyTag, algorithm, digestType, digest] = fields('DS', data, form)
  return Buffer.concat([
    u16(Number(keyTag)),
    u8(Number(algorithm)),
    u8(Number(digestType)),
    Buffer.from(digest!.replaceAll(' ', ''), 'hex'),
  ])
}

function soa(data: string): Buffer {
  const form = /^(\S+) (\S+) (\d+) (\d+) (\d+) (\d+) (\d+)$/
  const [, mname, rname, ...numbers] = fields('SOA', data, form)
  return Buffer.concat([
    nameToWire(mname!),
    nameToWire(rname!),
    ...numbers.map((number) => u32(Number(number))),
  ])
}

/** RFC 1035 section 3.3: a character-string holds 255 octets; section 3.3.14: there is at least one. */
function txt(data: string): Buffer {
  const octets = Buffer.from(data)
  const strings: Buffer[] = []
  for (let at = 0; at === 0 || at < octets.length; at += MAX_STRING_OCTETS) {
    const string = octets.subarray(at, at + MAX_STRING_OCTETS)
    strings.push(u8(string.length), string)
  }
  return Buffer.concat(strings)
}

function fields(type: ServedType, data: string, form: RegExp): RegExpExecArray {
  const found = form.exec(data)
  if (found === null) throw malformed(type, data)
  return found
}

function malformed(type: ServedType, data: string): RangeError {
  return new RangeError(`Not ${type} rdata: ${data}`)
}

function u8(value: number): Buffer {
  const octets = Buffer.alloc(1)
  octets.writeUInt8(value)
  return octets
}

function u16(value: number): Buffer {
  const octets = Buffer.alloc(2)
  octets.writeUInt16BE(value)
  return octets
}

function u32(value: number): Buffer {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(value)
  return octets
}
