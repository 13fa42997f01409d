/**
 * Domain names, as text and as octets. The text of a name is absolute and lowercase, with every odd
 * octet escaped (RFC 1035 section 5.1), so that two names are equal exactly if their texts are.
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

/** The text of labels that came off the wire. */
export function nameOf(labels: readonly Buffer[]): string {
  // RFC 4343 section 3: only the ASCII letters have a case, and odd octets are escaped before it is folded.
  return writtenName(labels).toLowerCase()
}

/** The same with the case kept, which matters in names that people read. */
export function writtenName(labels: readonly Buffer[]): string {
  return labels.map((label) => `${textOfLabel(label)}.`).join('') || '.'
}

/** The canonical text of a written name. Throws as `nameToWire`. */
export function canonicalName(name: string): string {
  return nameOf(labelsOf(name))
}

/** The octets of a name, uncompressed. Throws a RangeError with a sentence at a name that cannot be one. */
export function nameToWire(name: string): Buffer {
  return wireOf(labelsOf(name))
}

/** The labels of an uncompressed name, and where it ends. Throws a RangeError where there is none. */
export function readLabels(octets: Buffer, start = 0): { labels: Buffer[]; end: number } {
  const labels: Buffer[] = []
  for (let at = start; at < octets.length; ) {
    const length = octets[at++]!
    if (length === 0) return { labels, end: at }
    if (length > MAX_LABEL_OCTETS || at + length - start >= MAX_NAME_OCTETS) break
    labels.push(octets.subarray(at, at + length))
    at += length
  }
  throw new RangeError('it holds no whole domain name')
}

/** RFC 1035 section 5.1: `@` is the origin, and what does not end with a dot lies below the origin. */
export function belowOrigin(written: string, origin: string): string {
  if (written === '@') return origin
  if (isAbsolute(written)) return written
  return origin === '.' ? `${written}.` : `${written}.${origin}`
}

/** The canonical text of such a name. Throws a RangeError with a sentence. */
export function nameBelow(written: string, origin: string): string {
  const labels = labelsOf(belowOrigin(written, origin))
  wireOf(labels)
  return nameOf(labels)
}

/** Whether a name is written with the dot of the root at its end; an escaped dot is part of a label. */
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
