/**
 * Rdata as text and as octets, by a table of each type's fields. Text is read as people write it and
 * written in one canonical form, so that equal rdata has equal text. If it cannot be served, throws a
 * RangeError with a sentence that names the part.
 */
import * as f from './fields.ts'
import { type Field, OctetReader, WordReader } from './fields.ts'
import { belowOrigin, canonicalName, nameOf, readLabels } from './name.ts'
import { isNamedType, type NamedType, type RRset, type RRsetType } from './rrset.ts'
import { svcParams } from './svcb.ts'
import { type Word, wordsOf } from './text.ts'
import { quotedTxt, txtFromWire, txtToWire } from './txt.ts'
import { numberOfType } from './types.ts'

/** The rdata of one record, and the name that it points at, if it does. */
export type Rdata = { octets: Buffer; target?: string }

/** An rrset ready to be sent. */
export type WireRRset = { name: string; type: number; ttl: number; records: readonly Rdata[] }

/** What a zone holds, and the SOA, which the server makes. */
export type ServedType = RRsetType | 'SOA'

export type ServedRRset = Omit<RRset, 'type'> & { type: ServedType }

type Grammar = readonly (readonly [label: string, field: Field])[]

const SVCB: Grammar = [
  ['priority', f.u16],
  ['target', f.host],
  ['parameters', svcParams],
]

/** RFC 1035 section 3.3 and, for later types, the RFC that is named. */
const GRAMMARS: Record<Exclude<NamedType, 'TXT'> | 'SOA', Grammar> = {
  A: [['address', f.ipv4]],
  // RFC 3596.
  AAAA: [['address', f.ipv6]],
  // RFC 8659.
  CAA: [
    ['flags', f.u8],
    ['tag', f.caaTag],
    ['value', f.caaValue],
  ],
  CNAME: [['target', f.host]],
  // RFC 4034 section 5.
  DS: [
    ['key tag', f.u16],
    ['algorithm', f.u8],
    ['digest type', f.u8],
    ['digest', f.hex],
  ],
  // RFC 9460.
  HTTPS: SVCB,
  MX: [
    ['preference', f.u16],
    ['exchange', f.host],
  ],
  // RFC 3403 section 4.
  NAPTR: [
    ['order', f.u16],
    ['preference', f.u16],
    ['flags', f.string],
    ['services', f.string],
    ['regular expression', f.string],
    ['replacement', f.host],
  ],
  NS: [['nameserver', f.host]],
  PTR: [['name', f.instance]],
  SOA: [
    ['primary nameserver', f.host],
    ['mailbox', f.host],
    ['serial', f.u32],
    ['refresh', f.u32],
    ['retry', f.u32],
    ['expire', f.u32],
    ['negative TTL', f.u32],
  ],
  // RFC 2782.
  SRV: [
    ['priority', f.u16],
    ['weight', f.u16],
    ['port', f.u16],
    ['target', f.host],
  ],
  // RFC 4255.
  SSHFP: [
    ['algorithm', f.u8],
    ['fingerprint type', f.u8],
    ['fingerprint', f.hex],
  ],
  SVCB,
  // RFC 6698 section 2.
  TLSA: [
    ['usage', f.u8],
    ['selector', f.u8],
    ['matching type', f.u8],
    ['data', f.hex],
  ],
}

/** The offset in the rdata of the name that an answer points at. */
const TARGETS: Partial<Record<ServedType, number>> = { CNAME: 0, MX: 2, NS: 0, SRV: 6 }

const MAX_TTL_SECONDS = 2 ** 31 - 1
const MAX_RDATA_OCTETS = 65_535

/** The octets of a value. */
export function rdataToWire(type: ServedType, value: string): Buffer {
  const octets = wireOf(type, value)
  if (octets.length > MAX_RDATA_OCTETS) {
    throw new RangeError(`it is longer than ${MAX_RDATA_OCTETS} octets`)
  }
  return octets
}

/** The canonical text of octets. Octets outside a type's grammar are written as in RFC 3597 section 5. */
export function rdataFromWire(type: ServedType, octets: Buffer): string {
  try {
    return textOf(type, octets)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return genericText(octets)
  }
}

/** The canonical text of a written value. */
export const canonicalRdata = (type: ServedType, value: string): string =>
  textOf(type, rdataToWire(type, value))

/** The same for values of others: one that we would refuse stays as it is. */
export function canonicalOrWritten(type: ServedType, value: string): string {
  try {
    return canonicalRdata(type, value)
  } catch (error) {
    if (error instanceof RangeError) return value
    throw error
  }
}

/**
 * The words of a master file as one value: in them a name may be relative to the origin (RFC 1035
 * section 5.1), and every word of a TXT is a string.
 */
export function rdataOfWords(type: RRsetType, words: readonly Word[], origin: string): string {
  const grammar = grammarOf(type) ?? []
  const isName = (i: number) => [f.host, f.instance].some((field) => field === grammar[i]?.[1])
  return words
    .map(({ text, isQuoted }, i) => {
      if (isQuoted || type === 'TXT') return `"${text}"`
      return isName(i) && !isGeneric(words) ? belowOrigin(text, origin) : text
    })
    .join(' ')
}

/** A value as it stands in a master file: that of a TXT in quotes. */
export const masterRdata = (type: ServedType, value: string): string =>
  type === 'TXT' ? quotedTxt(value) : value

/** The names of the parts of a value of this type, for messages to people. */
export const partsOf = (type: RRsetType): readonly string[] =>
  isNamedType(type) && type !== 'TXT' ? GRAMMARS[type].map(([label]) => label) : []

function wireOf(type: ServedType, value: string): Buffer {
  if (type === 'TXT') return txtToWire(value)
  const words = wordsOf(value)
  if (isGeneric(words)) return checked(type, genericToWire(words))
  const grammar = grammarOf(type)
  if (grammar === undefined) throw new RangeError('it must be written as \\# (RFC 3597 section 5)')
  const reader = new WordReader(words)
  const octets = Buffer.concat(grammar.map(([label, field]) => field.read(reader, label)))
  reader.end()
  return octets
}

/** RFC 3597 section 5: the octets of a type whose grammar is known must be rdata of that type. */
function checked(type: ServedType, octets: Buffer): Buffer {
  textOf(type, octets)
  return octets
}

function textOf(type: ServedType, octets: Buffer): string {
  if (type === 'TXT') return txtFromWire(octets)
  const grammar = grammarOf(type)
  if (grammar === undefined) return genericText(octets)
  const reader = new OctetReader(octets)
  const words = grammar.map(([, field]) => field.write(reader))
  reader.end()
  return words.filter((word) => word !== '').join(' ')
}

const grammarOf = (type: ServedType): Grammar | undefined =>
  Object.hasOwn(GRAMMARS, type) ? GRAMMARS[type as keyof typeof GRAMMARS] : undefined

const isGeneric = ([first]: readonly Word[]): boolean =>
  first !== undefined && !first.isQuoted && first.text === '\\#'

function genericToWire([, length, ...digits]: readonly Word[]): Buffer {
  const hex = digits.map(({ text }) => text).join('')
  const octets = Buffer.from(hex, 'hex')
  if (octets.length * 2 !== hex.length || length?.text !== String(octets.length)) {
    throw new RangeError('the length behind \\# is not that of the hexadecimal digits')
  }
  return octets
}

const genericText = (octets: Buffer): string =>
  `\\# ${octets.length} ${octets.toString('hex')}`.trimEnd()

/** An rrset as it is sent. */
export function toWireRRset(rrset: ServedRRset): WireRRset {
  try {
    return parse(rrset)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new RangeError(`Cannot serve ${rrset.name} ${rrset.type}: ${why}`, { cause })
  }
}

function parse({ name, type, ttl, data }: ServedRRset): WireRRset {
  // RFC 2181 section 8: a TTL has 31 bits.
  if (!(Number.isInteger(ttl) && ttl >= 0 && ttl <= MAX_TTL_SECONDS)) {
    throw new RangeError(`the TTL ${ttl} is out of range, which is 0 to ${MAX_TTL_SECONDS} seconds`)
  }
  const records = data.map((value) => parseRdata(type, value))
  // RFC 2181 section 5: an rrset has no record twice.
  return { name: canonicalName(name), type: numberOfType(type)!, ttl, records: unique(records) }
}

function parseRdata(type: ServedType, value: string): Rdata {
  const octets = rdataToWire(type, value)
  const at = TARGETS[type]
  return at === undefined ? { octets } : { octets, target: nameOf(readLabels(octets, at).labels) }
}

function unique(records: readonly Rdata[]): Rdata[] {
  return [...new Map(records.map((rdata) => [rdata.octets.toString('latin1'), rdata])).values()]
}
