/** The fields of rdata: how each is read from text, and written from octets in its canonical form. */
import { isIPv4, isIPv6 } from 'node:net'
import { nameOf, nameToWire, readLabels, writtenName } from './name.ts'
import { octetsOfText, quoted, type Word } from './text.ts'

export type Field = {
  /** Takes its words; `label` names the field in the sentence of a RangeError. */
  read(words: WordReader, label: string): Buffer
  /** Takes its octets; throws a RangeError where they do not fit the field. */
  write(octets: OctetReader): string
}

/** The words of one value, taken one by one. */
export class WordReader {
  readonly #words: readonly Word[]
  #at = 0

  constructor(words: readonly Word[]) {
    this.#words = words
  }

  next(label: string): Word {
    const word = this.#words[this.#at++]
    if (word === undefined) throw new RangeError(`the ${label} is missing`)
    return word
  }

  rest(): readonly Word[] {
    const rest = this.#words.slice(this.#at)
    this.#at = this.#words.length
    return rest
  }

  end(): void {
    const extra = this.#words[this.#at]
    if (extra !== undefined) throw new RangeError(`"${extra.text}" is one word too many`)
  }
}

/** The octets of one record's rdata, taken one field after the other. */
export class OctetReader {
  readonly #octets: Buffer
  #at = 0

  constructor(octets: Buffer) {
    this.#octets = octets
  }

  get left(): number {
    return this.#octets.length - this.#at
  }

  take(length: number): Buffer {
    if (length > this.left) throw new RangeError('the rdata ends too early')
    this.#at += length
    return this.#octets.subarray(this.#at - length, this.#at)
  }

  number(octets: number): number {
    return this.take(octets).readUIntBE(0, octets)
  }

  labels(): Buffer[] {
    const { labels, end } = readLabels(this.#octets, this.#at)
    this.#at = end
    return labels
  }

  end(): void {
    if (this.left > 0) throw new RangeError('the rdata goes on behind its end')
  }
}

function unsigned(octets: 1 | 2 | 4): Field {
  const most = 2 ** (8 * octets) - 1
  return {
    read(words, label) {
      const { text } = words.next(label)
      const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
      if (!(value <= most)) {
        throw new RangeError(`the ${label} must be a number from 0 to ${most}, not "${text}"`)
      }
      const written = Buffer.alloc(octets)
      written.writeUIntBE(value, 0, octets)
      return written
    },
    write: (reader) => String(reader.number(octets)),
  }
}
export const u8 = unsigned(1)
export const u16 = unsigned(2)
export const u32 = unsigned(4)

const readName: Field['read'] = (words, label) => nameToWire(words.next(label).text)

/** A name whose case is kept, because people see it: a service instance (RFC 6763 section 4.1.1). */
export const instance: Field = {
  read: readName,
  write: (reader) => writtenName(reader.labels()),
}

const HOST_LABEL = /^[\w*-]+$/

/** A host name, in lower case; a name that no host can have keeps its case. */
export const host: Field = {
  read: readName,
  write(reader) {
    const labels = reader.labels()
    const isHost = labels.every((label) => HOST_LABEL.test(label.toString('latin1')))
    return isHost ? nameOf(labels) : writtenName(labels)
  },
}

export const ipv4: Field = {
  read(words, label) {
    const { text } = words.next(label)
    if (!isIPv4(text)) throw new RangeError(`the ${label} "${text}" is no IPv4 address`)
    return octetsOfIpv4(text)
  },
  write: (reader) => [...reader.take(4)].join('.'),
}

export const octetsOfIpv4 = (address: string): Buffer => Buffer.from(address.split('.').map(Number))

export const ipv6: Field = {
  read(words, label) {
    const { text } = words.next(label)
    // RFC 3596 section 2.2: 128 bits, which have no room for a zone (RFC 4007 section 11).
    if (!isIPv6(text) || text.includes('%')) {
      throw new RangeError(`the ${label} "${text}" is no IPv6 address`)
    }
    return octetsOfIpv6(text)
  },
  write: (reader) => textOfIpv6(reader.take(16)),
}

export function octetsOfIpv6(address: string): Buffer {
  const [left = [], right = []] = address.split('::').map(groupsOf)
  const zeros = Array<string>(8 - left.length - right.length).fill('0')
  const groups = [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16))
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

/** RFC 4291 section 2.2: the last two groups may be written as an IPv4 address. */
function groupsOf(half: string): string[] {
  const hex = half.replace(/[\d.]+$/, (tail) =>
    isIPv4(tail) ? octetsOfIpv4(tail).toString('hex').replace(/^.{4}/, '$&:') : tail,
  )
  return hex === '' ? [] : hex.split(':')
}

/** RFC 5952 section 4: lower case, no leading zeros, and the first of the longest runs of zeros left out. */
export function textOfIpv6(octets: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => octets.readUInt16BE(2 * i).toString(16))
  const runs = groups.map((_, i) => {
    const end = groups.findIndex((group, at) => at >= i && group !== '0')
    return { at: i, length: (end === -1 ? 8 : end) - i }
  })
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best))
  if (longest.length < 2) return groups.join(':')
  const [before, after] = [groups.slice(0, longest.at), groups.slice(longest.at + longest.length)]
  return `${before.join(':')}::${after.join(':')}`
}

/** RFC 1035 section 3.3: a character-string holds 255 octets. */
export const STRING_OCTETS = 255

export const string: Field = {
  read(words, label) {
    const octets = octetsOfText(words.next(label).text)
    if (octets.length > STRING_OCTETS) {
      throw new RangeError(`the ${label} is longer than ${STRING_OCTETS} octets`)
    }
    return Buffer.concat([Buffer.of(octets.length), octets])
  },
  write: (reader) => quoted(reader.take(reader.number(1))),
}

/** Hexadecimal to the end, in any number of words. */
export const hex: Field = {
  read(words, label) {
    const digits = [words.next(label), ...words.rest()].map(({ text }) => text).join('')
    if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) {
      throw new RangeError(`the ${label} must be pairs of hexadecimal digits`)
    }
    return Buffer.from(digits, 'hex')
  },
  write(reader) {
    if (reader.left === 0) throw new RangeError('the hexadecimal digits are missing')
    return reader.take(reader.left).toString('hex')
  },
}

/** RFC 8659 section 4.1: a tag is letters and digits, with its length before it. */
export const caaTag: Field = {
  read(words, label) {
    const { text } = words.next(label)
    if (!/^[a-z0-9]{1,255}$/i.test(text)) {
      throw new RangeError(`the ${label} must be letters and digits, not "${text}"`)
    }
    return Buffer.from(`${String.fromCharCode(text.length)}${text}`, 'latin1')
  },
  write(reader) {
    const tag = reader.take(reader.number(1)).toString('latin1')
    if (!/^[a-z0-9]+$/i.test(tag)) throw new RangeError('the tag is not letters and digits')
    return tag
  },
}

/** RFC 8659 section 4.1.1: octets to the end. People leave out the quotes, even where there are spaces. */
export const caaValue: Field = {
  read(words, label) {
    const first = words.next(label)
    const rest = first.isQuoted ? [] : words.rest()
    return octetsOfText([first, ...rest].map(({ text }) => text).join(' '))
  },
  write: (reader) => quoted(reader.take(reader.left)),
}
