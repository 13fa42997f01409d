/** The valid content of each type of record, one parser per type, and its rdata. */
import { isIPv4, isIPv6 } from 'node:net'
import { toWireRRset } from '#dns/rdata.ts'
import { quoted } from '#dns/text.ts'
import { txtToWire } from '#dns/txt.ts'
import { isNamedType, type NamedType } from '#drivers/zone/contract.ts'
import { Refused } from './answers.ts'
import { type Given, hostOf, isGiven, isWhole } from './given.ts'
import { readTxt } from './txt.ts'
import type { CaaData, Content, SrvData } from './world.ts'

/** The record's zone and owner. */
type Place = { zone: string; name: string }
type Reader = (given: Given, place: Place) => Content

const MAX_U16 = 65_535
const MAX_RDATA_OCTETS = 4096

const READERS: Record<NamedType, Reader> = {
  A: ({ content }) => address(content, isIPv4, 'content_a'),
  AAAA: ({ content }) => address(content, isV6, 'content_aaaa'),
  CAA: caa,
  CNAME: cname,
  DS: dataReader('DS'),
  HTTPS: dataReader('HTTPS'),
  MX: mx,
  NAPTR: dataReader('NAPTR'),
  NS: ns,
  PTR: ({ content }, { zone }) => ({ content: host(content, zone, 'PTR') }),
  SRV: srv,
  SSHFP: dataReader('SSHFP'),
  SVCB: dataReader('SVCB'),
  TLSA: dataReader('TLSA'),
  TXT: txt,
}

export const isServedType = (type: unknown): type is NamedType =>
  typeof type === 'string' && isNamedType(type)

export function readContent(type: NamedType, given: Given, place: Place): Content {
  const content = READERS[type](given, place)
  if (octetsOf(type, content).length > MAX_RDATA_OCTETS) throw new Refused('content_too_long', type)
  return content
}

/** Whole numbers with their maximum, and texts: quoted in the content, or plain. */
type DataField = number | 'quoted' | 'host' | 'plain'

const U8 = 255
const DATA_FIELDS = {
  DS: { key_tag: MAX_U16, algorithm: U8, digest_type: U8, digest: 'plain' },
  HTTPS: { priority: MAX_U16, target: 'host', value: 'plain' },
  NAPTR: {
    order: MAX_U16,
    preference: MAX_U16,
    flags: 'quoted',
    service: 'quoted',
    regex: 'quoted',
    replacement: 'host',
  },
  SSHFP: { algorithm: U8, type: U8, fingerprint: 'plain' },
  SVCB: { priority: MAX_U16, target: 'host', value: 'plain' },
  TLSA: { usage: U8, selector: U8, matching_type: U8, certificate: 'plain' },
} as const satisfies Partial<Record<NamedType, Record<string, DataField>>>

function dataReader(type: keyof typeof DATA_FIELDS): Reader {
  return ({ data }, { zone }) => {
    if (!isGiven(data)) throw new Refused('data_missing', type)
    const fields = Object.entries<DataField>(DATA_FIELDS[type])
    const kept = Object.fromEntries(
      fields.map(([name, form]) => [name, fieldOf(type, data[name], form, zone)]),
    )
    const words = fields.map(([name, form]) => wordOf(kept[name]!, form))
    const content = { content: words.join(' ').trim(), data: kept }
    refuseNoRdata(type, content)
    return content
  }
}

function fieldOf(type: NamedType, value: unknown, form: DataField, zone: string): string | number {
  const isRight = typeof form === 'number' ? isWhole(value, 0, form) : typeof value === 'string'
  if (!isRight) throw new Refused('content_invalid', type)
  return form === 'host' ? hostOrNone(value, zone, type) : (value as string | number)
}

function wordOf(value: string | number, form: DataField): string {
  if (form === 'quoted') return `"${String(value).replace(/["\\]/g, '\\$&')}"`
  return form === 'host' ? dotted(String(value)) : String(value)
}

/** Validates service parameters, digests and the like, which no other check does. */
function refuseNoRdata(type: NamedType, content: Content): void {
  try {
    octetsOf(type, content)
  } catch {
    throw new Refused('content_invalid', type)
  }
}

const isV6 = (text: string): boolean => isIPv6(text) && !text.includes('%')

function address(
  content: unknown,
  isAddress: (text: string) => boolean,
  kind: 'content_a' | 'content_aaaa',
): Content {
  if (typeof content !== 'string' || !isAddress(content)) throw new Refused(kind)
  return { content: content.toLowerCase() }
}

function cname({ content }: Given, { zone, name }: Place): Content {
  const host = hostOf(content, zone)
  if (host === undefined || host === name) throw new Refused('content_cname')
  // The real API answers with the target's addresses, which we would have to look up.
  if (name === zone) throw new Refused('not_emulated', 'CNAME at the apex')
  return { content: host }
}

function ns({ content }: Given, { zone, name }: Place): Content {
  if (name === zone) throw new Refused('apex_ns')
  return { content: host(content, zone, 'NS') }
}

function mx({ content, priority }: Given, { zone }: Place): Content {
  if (!isWhole(priority, 0, MAX_U16)) throw new Refused('priority_missing', 'MX')
  return { content: hostOrNone(content, zone, 'MX'), priority }
}

function txt({ content }: Given): Content {
  const read = typeof content === 'string' ? readTxt(content) : undefined
  if (read === undefined) throw new Refused('content_txt')
  return { content: read.content }
}

function caa({ data }: Given): Content {
  if (!isGiven(data)) throw new Refused('data_missing', 'CAA')
  const { flags, tag, value } = data
  const isTag = typeof tag === 'string' && /^[a-z0-9]{1,15}$/i.test(tag)
  if (!isWhole(flags, 0, 255) || !isTag || typeof value !== 'string') {
    throw new Refused('content_invalid', 'CAA')
  }
  const kept: CaaData = { flags, tag, value }
  return { content: `${flags} ${tag} "${value.replace(/["\\]/g, '\\$&')}"`, data: kept }
}

function srv({ data }: Given, { zone }: Place): Content {
  if (!isGiven(data)) throw new Refused('data_missing', 'SRV')
  const { priority, weight, port } = data
  const isU16 = (value: unknown): value is number => isWhole(value, 0, MAX_U16)
  if (!isU16(priority) || !isU16(weight) || !isU16(port)) {
    throw new Refused('content_invalid', 'SRV')
  }
  const target = hostOrNone(data.target, zone, 'SRV')
  const kept: SrvData = { priority, weight, port, target }
  return { content: `${priority} ${weight} ${port} ${target}`, data: kept }
}

function host(written: unknown, zone: string, type: NamedType): string {
  const found = hostOf(written, zone)
  if (found === undefined) throw new Refused('content_invalid', type)
  return found
}

/** RFC 7505 section 3, RFC 2782: the root means "none". */
const hostOrNone = (written: unknown, zone: string, type: NamedType): string =>
  written === '.' ? '.' : host(written, zone, type)

/** Rdata in presentation form, as our zones have it. */
export function rdataOf(type: NamedType, { content, priority }: Content): string {
  if (type === 'TXT') return content
  if (type === 'MX') return `${priority} ${dotted(content)}`
  return ['CNAME', 'NS', 'PTR', 'SRV'].includes(type) ? dotted(content) : content
}

const dotted = (text: string): string => text.replace(/\.?$/, '.')

/** The octets on the wire: two records with the same octets are identical, however written. */
export function octetsOf(type: NamedType, content: Content): Buffer {
  // Texts that differ only in how they are split into strings are identical.
  if (type === 'TXT') return txtToWire(quoted(readTxt(content.content)!.octets))
  const data = [rdataOf(type, content)]
  return toWireRRset({ name: '.', type, ttl: 0, data }).records[0]!.octets
}
