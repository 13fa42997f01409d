/** How PHP reads input: numbers in strings, empty values, addresses. */
import { domainToASCII } from 'node:url'

export type Data = Readonly<Record<string, unknown>>

export const isRecord = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isGiven = (value: unknown): boolean => value !== undefined && value !== null

export const isEmpty = (value: unknown): boolean =>
  !value || value === '0' || (Array.isArray(value) && value.length === 0)

/** The number at the start of a string: '12 apples' is 12, 'apples' is 0. */
export function integer(value: unknown): number {
  if (typeof value === 'boolean') return Number(value)
  return Number.parseInt(text(value), 10) || 0
}

export const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : ''

/** A single value becomes a list of one, an empty one an empty list. */
export function list(value: unknown): unknown[] {
  if (!isGiven(value)) return []
  return typeof value === 'object' ? Object.values(value as object) : [value]
}

/** Splits a string of several values. */
export const pieces = (value: unknown): string[] =>
  text(value)
    .split(/[ ,;\n]/)
    .map((piece) => piece.trim())
    .filter((piece) => piece !== '')

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#039;',
}

/** Escapes HTML: most names in messages are so. */
export const escaped = (value: unknown): string =>
  text(value).replace(/[&<>"']/g, (sign) => ENTITIES[sign]!)

/** Lower-cased and in A-labels; unchanged where it has no such form. */
export function asciiDomain(value: unknown): string {
  const written = text(value).trim().toLowerCase()
  return /[^\0-\x7f]/.test(written) ? domainToASCII(written) : written
}

export function isDomainName(name: string): boolean {
  const labels = name.split('.')
  return name.length <= 253 && labels.every((label) => LABEL.test(label) && label.length <= 63)
}
const LABEL = /^[a-z0-9](-*[a-z0-9])*$/i

const ATOM = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+$/i
const QUOTED = /^"(\\[\0-\x7f]|[^"\\\r\n\t])*"$/

/** Allows quoted localparts; refuses domains of one label, or ending in digits. */
export function isEmail(address: string): boolean {
  const at = address.lastIndexOf('@')
  const localpart = address.slice(0, Math.max(at, 0))
  const domain = address.slice(at + 1)
  if (localpart.length > 64 || address.length > 254 || /[^\0-\x7f]/.test(address)) return false
  if (!QUOTED.test(localpart) && !localpart.split('.').every((part) => ATOM.test(part)))
    return false
  return isDomainName(domain) && /\.[a-z][a-z0-9-]*$/i.test(domain)
}
