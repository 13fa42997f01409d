/** The parameters of SVCB and HTTPS records (RFC 9460 sections 2.1, 2.2 and 7), as one field. */
import { isUtf8 } from 'node:buffer'
import { isIPv4, isIPv6 } from 'node:net'
import { type Field, OctetReader, octetsOfIpv4, octetsOfIpv6, textOfIpv6 } from './fields.ts'
import { octetsOfText, quotedIfOdd, type Word } from './text.ts'

/** RFC 9460 section 14.3.2, RFC 9461 and RFC 9540. */
const KEYS = [
  'mandatory',
  'alpn',
  'no-default-alpn',
  'port',
  'ipv4hint',
  'ech',
  'ipv6hint',
  'dohpath',
  'ohttp',
] as const
type Key = (typeof KEYS)[number]

type Value = {
  /** Converts presentation to wire format; throws a RangeError with a sentence. */
  read(value: Buffer): Buffer
  /**
   * Converts wire to presentation format, the text after `=`; undefined for keys without a value.
   */
  write(reader: OctetReader): string | undefined
}

const none: Value = {
  read(value) {
    if (value.length > 0) throw new RangeError('has no value')
    return value
  },
  write: () => undefined,
}

const raw: Value = {
  read: (value) => value,
  write: (reader) => quotedIfOdd(reader.take(reader.left)),
}

const port: Value = {
  read(value) {
    const number = /^\d{1,5}$/.test(value.toString()) ? Number(value) : Number.NaN
    if (!(number <= 0xffff)) throw new RangeError('must be a port from 0 to 65535')
    return Buffer.of(number >> 8, number & 0xff)
  },
  write: (reader) => String(reader.number(2)),
}

const ech: Value = {
  read(value) {
    const written = value.toString()
    const octets = Buffer.from(written, 'base64')
    if (octets.length === 0 || octets.toString('base64') !== written) {
      throw new RangeError('must be base64')
    }
    return octets
  },
  write: (reader) => reader.take(reader.left).toString('base64'),
}

/**
 * RFC 9461 section 5: a URI template with the variable `dns`. Other nameservers refuse any other.
 */
const dohpath: Value = {
  read: pathOf,
  write: (reader) => quotedIfOdd(pathOf(reader.take(reader.left))),
}

function pathOf(value: Buffer): Buffer {
  if (!isUtf8(value) || !/^\/.*\{[^}]*\bdns\b[^}]*\}/s.test(value.toString())) {
    throw new RangeError('must be a path with "{?dns}" in it')
  }
  return value
}

/** A list of addresses, at least one. */
function hints(
  isAddress: (text: string) => boolean,
  toOctets: (address: string) => Buffer,
  size: number,
  toText: (octets: Buffer) => string,
): Value {
  return {
    read(value) {
      const addresses = value.toString().split(',')
      if (!addresses.every(isAddress)) throw new RangeError('must be a list of addresses')
      return Buffer.concat(addresses.map(toOctets))
    },
    write: (reader) => listOf(reader, () => toText(reader.take(size))).join(','),
  }
}

const VALUES: Record<Key, Value> = {
  mandatory: {
    read(value) {
      const keys = value.toString().split(',').map(numberOfKey)
      const sorted = [...new Set(keys)].toSorted((a, b) => a - b)
      // RFC 9460 section 8: in ascending order, each once, and never the key itself.
      if (sorted.length !== keys.length || keys.includes(0)) {
        throw new RangeError('names a key twice, or itself')
      }
      return Buffer.from(sorted.flatMap((key) => [key >> 8, key & 0xff]))
    },
    write: (reader) => listOf(reader, () => nameOfKey(reader.number(2))).join(','),
  },
  alpn: {
    read(value) {
      const ids = commaSeparated(value)
      if (ids.some((id) => id.length === 0 || id.length > 255)) {
        throw new RangeError('must be protocols of 1 to 255 octets')
      }
      return Buffer.concat(ids.flatMap((id) => [Buffer.of(id.length), id]))
    },
    write: (reader) =>
      quotedIfOdd(joinCommas(listOf(reader, () => reader.take(nonZero(reader.number(1)))))),
  },
  'no-default-alpn': none,
  port,
  ipv4hint: hints(isIPv4, octetsOfIpv4, 4, (octets) => [...octets].join('.')),
  ech,
  ipv6hint: hints((text) => isIPv6(text) && !text.includes('%'), octetsOfIpv6, 16, textOfIpv6),
  dohpath,
  ohttp: none,
}

function nonZero(length: number): number {
  if (length === 0) throw new RangeError('a protocol is empty')
  return length
}

function listOf<T>(reader: OctetReader, next: () => T): T[] {
  const list = [next()]
  while (reader.left > 0) list.push(next())
  return list
}

const COMMA = 0x2c
const BACKSLASH = 0x5c

/** RFC 9460 appendix A.1: list items escape their commas and backslashes once more. */
function commaSeparated(value: Buffer): Buffer[] {
  const items: number[][] = [[]]
  for (let at = 0; at < value.length; at++) {
    if (value[at] === COMMA) items.push([])
    else items.at(-1)!.push(value[value[at] === BACKSLASH ? ++at : at] ?? BACKSLASH)
  }
  return items.map((item) => Buffer.from(item))
}

function joinCommas(items: readonly Buffer[]): Buffer {
  const written = items.map((item) => item.toString('latin1').replace(/[\\,]/g, '\\$&'))
  return Buffer.from(written.join(','), 'latin1')
}

function numberOfKey(written: string): number {
  const known = KEYS.indexOf(written as Key)
  if (known >= 0) return known
  const digits = /^key(0|[1-9]\d{0,4})$/.exec(written)?.[1]
  // RFC 9460 section 14.3.1: 65535 is reserved, and is no key.
  if (digits === undefined || Number(digits) >= 0xffff) {
    throw new RangeError(`"${written}" is no parameter`)
  }
  return Number(digits)
}

const nameOfKey = (number: number): string => KEYS[number] ?? `key${number}`
const shapeOf = (number: number): Value => VALUES[KEYS[number] as Key] ?? raw

function readParam({ text }: Word): Param {
  const [, name, written = ''] = /^([a-z0-9-]+)(?:=(.*))?$/s.exec(text) ?? []
  if (name === undefined) throw new RangeError(`"${text}" is no parameter`)
  const key = numberOfKey(name)
  try {
    return { key, value: shapeOf(key).read(octetsOfText(written.replace(/^"(.*)"$/s, '$1'))) }
  } catch (error) {
    throw new RangeError(`${name} ${error instanceof Error ? error.message : error}`)
  }
}

type Param = { key: number; value: Buffer }

/**
 * RFC 9460 sections 7.1.1 and 8: clients ignore a record that lacks a key that another key
 * requires.
 */
function requireNeeded(params: readonly Param[]): void {
  const given = new Set(params.map(({ key }) => key))
  const lacking = params.flatMap(neededBy).find((key) => !given.has(key))
  if (lacking !== undefined)
    throw new RangeError(`${nameOfKey(lacking)} is missing, and another parameter requires it`)
}

function neededBy({ key, value }: Param): number[] {
  if (nameOfKey(key) === 'no-default-alpn') return [numberOfKey('alpn')]
  if (nameOfKey(key) !== 'mandatory') return []
  return Array.from({ length: value.length / 2 }, (_, i) => value.readUInt16BE(2 * i))
}

/** RFC 9460 section 2.2: the parameters in ascending order of their keys, each key once. */
export const svcParams: Field = {
  read(words) {
    const params = words
      .rest()
      .map(readParam)
      .toSorted((a, b) => a.key - b.key)
    const twice = params.find(({ key }, i) => params[i - 1]?.key === key)
    if (twice) throw new RangeError(`${nameOfKey(twice.key)} is given twice`)
    requireNeeded(params)
    return Buffer.concat(
      params.flatMap(({ key, value }) => [
        Buffer.of(key >> 8, key & 0xff, value.length >> 8, value.length & 0xff),
        value,
      ]),
    )
  },
  write(reader) {
    const params: Param[] = []
    while (reader.left > 0) {
      const key = reader.number(2)
      if (key <= (params.at(-1)?.key ?? -1)) throw new RangeError('the parameters are not in order')
      params.push({ key, value: reader.take(reader.number(2)) })
    }
    const written = params.map(({ key, value }) => textOfParam(key, value))
    requireNeeded(params)
    return written.join(' ')
  },
}

function textOfParam(key: number, octets: Buffer): string {
  const reader = new OctetReader(octets)
  const value = octets.length === 0 && shapeOf(key) === raw ? undefined : shapeOf(key).write(reader)
  reader.end()
  return value === undefined ? nameOfKey(key) : `${nameOfKey(key)}=${value}`
}
