/**
 * Domain names, as text and as octets. The text of a name is absolute and lowercase, with every odd
 * octet escaped (RFC 1035 section 5.1), so that two names are equal exactly if their texts are.
 */

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
  return labels.map((label) => `${textOf(label)}.`).join('') || '.'
}

/** The one text of a name that a person or a program wrote. */
export function canonicalName(name: string): string {
  return nameOf(labelsOf(name))
}

/** The octets of a name, uncompressed. Throws at a name that cannot be one. */
export function nameToWire(name: string): Buffer {
  const labels = labelsOf(name)
  const wire = Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), ROOT])
  // RFC 1035 section 3.1: a name holds 255 octets, lengths and root included.
  if (wire.length > MAX_NAME_OCTETS) throw new RangeError(`Name too long: ${name}`)
  return wire
}

const ROOT = Buffer.of(0)

function labelsOf(name: string): Buffer[] {
  const labels = name.match(/(?:\\.|[^.\\])+/gs) ?? []
  if (`${labels.join('.')}.` !== name) throw new RangeError(`Not an absolute name: ${name}`)
  return labels.map(labelToWire)
}

function labelToWire(text: string): Buffer {
  if (/[^!-~]/.test(text)) throw new RangeError(`Not an A-label: ${text}`)
  const label = Buffer.from(
    text.replace(/\\(\d{3}|.)/g, (_, escaped: string) =>
      escaped.length === 3 ? String.fromCharCode(Number(escaped)) : escaped,
    ),
    'latin1',
  )
  // RFC 1035 section 3.1: a label holds 63 octets.
  if (label.length > MAX_LABEL_OCTETS) throw new RangeError(`Label too long: ${text}`)
  return label
}

/** RFC 4343 section 3: only the ASCII letters have a case, so others are escaped before it is folded. */
function textOf(label: Buffer): string {
  return label
    .toString('latin1')
    .replace(/[^!-~]|[.\\]/g, escapeOctet)
    .toLowerCase()
}

function escapeOctet(octet: string): string {
  if (octet === '.' || octet === '\\') return `\\${octet}`
  return `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`
}
