/** What each type of record may hold, one reader per type, and the same as the DNS says it. */
import { isIPv4, isIPv6 } from 'node:net'
import { toWireRRset } from '#dns/rdata.ts'
import type { RRsetType } from '#drivers/zone/contract.ts'
import { Refused } from './answers.ts'
import { type Given, hostOf, isGiven, isWhole } from './given.ts'
import { readTxt } from './txt.ts'
import type { CaaData, Content, SrvData } from './world.ts'

/** Where the record is going to stand. */
type Place = { zone: string; name: string }
type Reader = (given: Given, place: Place) => Content

const MAX_U16 = 65_535
const MAX_RDATA_OCTETS = 4096

const READERS: Record<RRsetType, Reader> = {
  A: ({ content }) => address(content, isIPv4, 'content_a'),
  AAAA: ({ content }) => address(content, isV6, 'content_aaaa'),
  CAA: caa,
  CNAME: cname,
  MX: mx,
  NS: ns,
  SRV: srv,
  TXT: txt,
}

export const isServedType = (type: unknown): type is RRsetType =>
  typeof type === 'string' && Object.hasOwn(READERS, type)

export function readContent(type: RRsetType, given: Given, place: Place): Content {
  const content = READERS[type](given, place)
  if (octetsOf(type, content).length > MAX_RDATA_OCTETS) throw new Refused('content_too_long', type)
  return content
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
  // The real API answers with the addresses of the target, which we would have to look up.
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

function host(written: unknown, zone: string, type: RRsetType): string {
  const found = hostOf(written, zone)
  if (found === undefined) throw new Refused('content_invalid', type)
  return found
}

/** RFC 7505 section 3, RFC 2782: the root stands for "there is none". */
const hostOrNone = (written: unknown, zone: string, type: RRsetType): string =>
  written === '.' ? '.' : host(written, zone, type)

/** Rdata in presentation form, as a zone of ours takes it. */
export function rdataOf(type: RRsetType, { content, priority }: Content): string {
  if (type === 'TXT') return readTxt(content)!.text
  if (type === 'MX') return `${priority} ${dotted(content)}`
  return type === 'CNAME' || type === 'NS' || type === 'SRV' ? dotted(content) : content
}

const dotted = (text: string): string => text.replace(/\.?$/, '.')

/** What goes over the wire: two records with the same octets are the same, however they are written. */
export function octetsOf(type: RRsetType, content: Content): Buffer {
  const data = [rdataOf(type, content)]
  return toWireRRset({ name: '.', type, ttl: 0, data }).records[0]!.octets
}
