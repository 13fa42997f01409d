/**
 * Domain names, as text and as octets. The text of a name is absolute and lowercase, with all
 * special octets escaped (RFC 1035 section 5.1): two names are equal if and only if their texts
 * are.
 */
import { octetsOfText, textOfOctet } from './text.ts'

const MAX_NAME_OCTETS = 255
const MAX_LABEL_OCTETS = 63

/** A label with its dot, as the first thing in a name. An escaped dot does not end a label. */
const FIRST_LABEL = /^(?:\\.|[^.\\])+\./s

export function parentOf(name: string): string {
  return name.replace(FIRST_LABEL, '') || '.'
}

/** The name itself, the name above it, and so on up to the root. */
export function suffixesOf(name: string): string[] {
  const suffixes: string[] = []
  for (let rest = name; rest !== '.'; rest = parentOf(rest)) suffixes.push(rest)
  return [...suffixes, '.']
}

export function isWithin(name: string, apex: string): boolean {
  return suffixesOf(name).includes(apex)
}

export function wildcardOf(encloser: string): string {
  return encloser === '.' ? '*.' : `*.${encloser}`
}

/** The text of a name in wire format. */
export function nameOf(labels: readonly Buffer[]): string {
  // RFC 4343 section 3: only ASCII letters have a case. Octets beyond ASCII are escaped by now.
  return writtenName(labels).toLowerCase()
}

/** As `nameOf`, in the original case, for names that people read and for 0x20. */
export function writtenName(labels: readonly Buffer[]): string {
  return labels.map((label) => `${textOfLabel(label)}.`).join('') || '.'
}

/** The canonical text of a written name. Throws as `nameToWire`. */
export function canonicalName(name: string): string {
  return nameOf(labelsOf(name))
}

/**
 * The uncompressed octets of a name. Throws a RangeError, with a sentence, if it is no domain name.
 */
export function nameToWire(name: string): Buffer {
  return wireOf(labelsOf(name))
}

/**
 * Reads the labels of an uncompressed name, and its end. Throws a RangeError if there is no name.
 */
export function readLabels(octets: Buffer, start = 0): { labels: Buffer[]; end: number } {
  const labels: Buffer[] = []
  for (let at = start; at < octets.length; ) {
    const length = octets[at++]!
    if (length === 0) return { labels, end: at }
    if (length > MAX_LABEL_OCTETS || at + length - start >= MAX_NAME_OCTETS) break
    labels.push(octets.subarray(at, at + length))
    at += length
  }
  throw new RangeError('it contains no complete domain name')
}

/** RFC 1035 section 5.1: `@` is the origin, and a name without a final dot is relative to it. */
export function belowOrigin(written: string, origin: string): string {
  if (written === '@') return origin
  if (isAbsolute(written)) return written
  return origin === '.' ? `${written}.` : `${written}.${origin}`
}

/** The canonical text of `belowOrigin`. Throws a RangeError, with a sentence, if it is no name. */
export function nameBelow(written: string, origin: string): string {
  const labels = labelsOf(belowOrigin(written, origin))
  wireOf(labels)
  return nameOf(labels)
}

/** Whether a name ends with the dot of the root; an escaped dot belongs to a label. */
export const isAbsolute = (name: string): boolean => /(?:^|[^\\])(?:\\\\)*\.$/.test(name)

const ROOT = Buffer.of(0)

function wireOf(labels: readonly Buffer[]): Buffer {
  const wire = Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), ROOT])
  // RFC 1035 section 3.1: a name holds 255 octets, lengths and root included.
  if (wire.length > MAX_NAME_OCTETS) {
    throw new RangeError(`the name is longer than ${MAX_NAME_OCTETS} octets`)
  }
  return wire
}

function labelsOf(name: string): Buffer[] {
  const labels = name.match(/(?:\\.|[^.\\])+/gs) ?? []
  if (`${labels.join('.')}.` !== name) throw new RangeError(whyNoName(name))
  return labels.map(labelToWire)
}

function whyNoName(name: string): string {
  if (name === '') return 'a domain name is missing'
  if (!isAbsolute(name)) return `"${name}" must be written whole, with a dot at its end`
  return `"${name}" has a label without a character`
}

function labelToWire(text: string): Buffer {
  if (/[^ -~]/.test(text)) {
    throw new RangeError(`"${printable(text)}" is not written in A-labels (xn--…) or with escapes`)
  }
  if (text.includes(' ')) throw new RangeError(`"${text}" has a space in it, which a name escapes`)
  const label = octetsOfText(text)
  // RFC 1035 section 3.1: a label holds 63 octets.
  if (label.length > MAX_LABEL_OCTETS) {
    throw new RangeError(`the label "${text}" is longer than ${MAX_LABEL_OCTETS} octets`)
  }
  return label
}

const printable = (text: string): string => text.replace(/\p{Cc}/gu, '\uFFFD')

const textOfLabel = (label: Buffer): string =>
  Array.from(label, (octet) => textOfOctet(octet, ' .\\"();@$')).join('')
