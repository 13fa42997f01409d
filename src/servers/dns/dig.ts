/**
 * Queries zones in process and shows the reply as text, decoded by a library that shares no code with
 * ours. For tests.
 */
import {
  type Answer,
  type DecodedPacket,
  DNSSEC_OK,
  decode,
  encode,
  RECURSION_DESIRED,
  type RecordClass,
  type RecordType,
} from 'dns-packet'
import { answerQuery, type Transport } from './answer.ts'
import type { ServedZone } from './zone.ts'
import { Zones } from './zones.ts'

export type DigResult = {
  /** RCODE and the flags among aa, tc, rd, ra that are set. */
  status: string
  answer: string[]
  authority: string[]
  additional: string[]
}

export type DigOptions = { transport?: Transport; edns?: Edns; recursive?: boolean }
type Edns = { size?: number; version?: number; dnssecOk?: boolean }

export function zonesOf(...served: readonly ServedZone[]): Zones {
  const zones = new Zones()
  for (const zone of served) zones.set(zone)
  return zones
}

/** `question` is a name, a type, and optionally a class. */
export function dig(zones: Zones, question: string, options: DigOptions = {}): DigResult {
  const query = queryOf(question, options)
  const answered = answerQuery(query, zones, options.transport ?? 'udp')
  if (answered === undefined) throw new Error(`No reply to ${question}`)
  return show(decode(answered.reply))
}

export function queryOf(question: string, { edns, recursive }: DigOptions = {}): Buffer {
  const [name = '.', type = 'A', qclass = 'IN'] = question.split(' ')
  return encode({
    type: 'query',
    id: 4711,
    flags: recursive ? RECURSION_DESIRED : 0,
    questions: [{ name, type: type as RecordType, class: qclass as RecordClass }],
    additionals: edns === undefined ? [] : [optOf(edns)],
  })
}

function optOf({ size = 1232, version = 0, dnssecOk = false }: Edns): Answer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: size,
    extendedRcode: 0,
    ednsVersion: version,
    flags: dnssecOk ? DNSSEC_OK : 0,
    flag_do: dnssecOk,
    options: [],
  }
}

export function show(packet: DecodedPacket): DigResult {
  const { answers = [], authorities = [], additionals = [] } = packet
  return {
    status: statusOf(packet),
    answer: answers.map(line),
    authority: authorities.map(line),
    additional: additionals.map(line),
  }
}

const RCODES = new Map([[16, 'BADVERS']])

function statusOf(packet: DecodedPacket): string {
  const { rcode } = packet as unknown as { rcode: string }
  const opt = packet.additionals?.find((record) => record.type === 'OPT')
  const flags = [
    packet.flag_aa && 'aa',
    packet.flag_tc && 'tc',
    packet.flag_rd && 'rd',
    packet.flag_ra && 'ra',
  ]
  const extended = RCODES.get((opt?.extendedRcode ?? 0) << 4) ?? rcode
  return [extended, ...flags.filter(Boolean)].join(' ')
}

function line(record: Answer): string {
  if (record.type === 'OPT') {
    return `OPT ${record.udpPayloadSize} v${record.ednsVersion}${record.flag_do ? ' do' : ''}`
  }
  const { name, type, ttl, data } = record as {
    name: string
    type: string
    ttl: number
    data: unknown
  }
  return `${dotted(name)} ${ttl} ${type} ${rdata(type, data)}`
}

function rdata(type: string, data: unknown): string {
  if (type === 'NS' || type === 'CNAME') return dotted(String(data))
  if (Array.isArray(data)) return data.map((string) => JSON.stringify(String(string))).join(' ')
  if (typeof data !== 'object' || data === null) return String(data)
  return Object.values(data)
    .map((field) => (Buffer.isBuffer(field) ? field.toString('hex') : String(field)))
    .join(' ')
}

function dotted(name: string): string {
  return name === '.' ? '.' : `${name}.`
}
