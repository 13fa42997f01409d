/** Validates JSON from clients, and names in all forms they may have. */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import type { EmulatedRequest } from '../server.ts'
import { Refused } from './answers.ts'

/** A JSON object not validated yet. */
export type Given = Readonly<Record<string, unknown>>

export const isGiven = (value: unknown): value is Given =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isWhole = (value: unknown, least: number, most: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most

export function bodyOf({ body, headers }: EmulatedRequest): Given {
  if (!headers['content-type']?.includes('application/json')) throw new Refused('body_unreadable')
  const value = parsed(body)
  if (!isGiven(value)) throw new Refused('body_unreadable')
  return value
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new Refused('body_unreadable')
  }
}

const NAME_LIMIT = 253
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/

/** A record's full name: completes relative ones, and converts non-ASCII letters to A-labels. */
export function fullName(written: unknown, zone: string): string {
  if (typeof written !== 'string') throw new Refused('name_invalid')
  const bare = asciiOf(written)
  if (bare === '@' || bare === zone) return zone
  const name = bare.endsWith(`.${zone}`) ? bare : `${bare}.${zone}`
  if (!isName(name.replace(/^\*\./, ''))) throw new Refused('name_invalid')
  return name
}

/** The host in a record. `@` is the zone's apex. */
export function hostOf(written: unknown, zone: string): string | undefined {
  if (typeof written !== 'string') return undefined
  const host = written === '@' ? zone : asciiOf(written)
  return isName(host) && isIP(host) === 0 ? host : undefined
}

const isName = (name: string): boolean =>
  name.length <= NAME_LIMIT && name.split('.').every((label) => LABEL.test(label))

/** Label by label, because UTS 46 would take a name of digits for an address. */
const asciiOf = (name: string): string =>
  name
    .replace(/\.$/, '')
    .split('.')
    .map((label) => (/[^\0-\x7f]/.test(label) ? domainToASCII(label) : label.toLowerCase()))
    .join('.')
