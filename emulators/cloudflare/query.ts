/** The parameters of a list: page, filters and order. */
import { type PageInfo, Refused } from './answers.ts'
import type { HeldRecord, HeldZone } from './world.ts'

type PageRule = { usual: number; most: number; limit: number }

export function pageOf<T>(
  all: readonly T[],
  query: URLSearchParams,
  { usual, most, limit }: PageRule,
): { members: readonly T[]; info: PageInfo } {
  const page = wholeOf(query, 'page', 1, Number.MAX_SAFE_INTEGER)
  const size = Math.min(wholeOf(query, 'per_page', usual, most), limit)
  const members = all.slice((page - 1) * size, page * size)
  const info = {
    page,
    per_page: size,
    count: members.length,
    total_count: all.length,
    total_pages: Math.ceil(all.length / size),
  }
  return { members, info }
}

function wholeOf(query: URLSearchParams, name: string, usual: number, most: number): number {
  const written = query.get(name)
  if (written === null) return usual
  const value = /^\d{1,15}$/.test(written) ? Number(written) : 0
  if (value < 1 || value > most) throw new Refused('page_invalid', name)
  return value
}

type Test<T> = (member: T) => boolean

/** How a text may be compared. A bare field name means `exact`. */
const COMPARISONS = {
  exact: (have: string, asked: string) => have === asked,
  contains: (have: string, asked: string) => have.includes(asked),
  startswith: (have: string, asked: string) => have.startsWith(asked),
  endswith: (have: string, asked: string) => have.endsWith(asked),
} as const

/** Refused: ignoring one of these would return more than requested. */
const UNEMULATED = /^(search|tag($|[._])|shadow|include_shadow_metadata$)/

export function recordsAsked(all: readonly HeldRecord[], query: URLSearchParams): HeldRecord[] {
  const odd = [...query.keys()].find((key) => UNEMULATED.test(key))
  if (odd !== undefined) throw new Refused('not_emulated', `the filter ${odd}`)
  const tests = [
    ...textTests<HeldRecord>(query, 'name', ({ name }) => name),
    ...textTests<HeldRecord>(query, 'content', ({ content }) => content),
    ...textTests<HeldRecord>(query, 'comment', ({ comment }) => comment ?? ''),
    ...valueTest<HeldRecord>(query, 'type', ({ type }) => type),
    ...valueTest<HeldRecord>(query, 'proxied', ({ proxied }) => String(proxied)),
    ...presenceTests(query),
  ]
  const isAny = query.get('match') === 'any' && tests.length > 0
  const asked = all.filter((record) =>
    isAny ? tests.some((test) => test(record)) : tests.every((test) => test(record)),
  )
  return ordered(asked, query, ['type', 'name', 'content', 'ttl', 'proxied'])
}

function textTests<T>(query: URLSearchParams, field: string, textOf: (member: T) => string) {
  const tests: Test<T>[] = []
  for (const [key, value] of query) {
    const [name, how = 'exact', ...more] = key.split('.')
    if (name !== field || more.length > 0 || !Object.hasOwn(COMPARISONS, how)) continue
    const compare = COMPARISONS[how as keyof typeof COMPARISONS]
    tests.push((member) => compare(textOf(member).toLowerCase(), value.toLowerCase()))
  }
  return tests
}

function valueTest<T>(
  query: URLSearchParams,
  field: string,
  textOf: (member: T) => string,
): Test<T>[] {
  const asked = query.get(field)
  return asked === null ? [] : [(member) => textOf(member) === asked]
}

function presenceTests(query: URLSearchParams): Test<HeldRecord>[] {
  const present: Test<HeldRecord> = ({ comment }) => comment !== null
  return [
    ...(query.has('comment.present') ? [present] : []),
    ...(query.has('comment.absent') ? [(record: HeldRecord) => !present(record)] : []),
  ]
}

export function zonesAsked(
  all: readonly HeldZone[],
  query: URLSearchParams,
  accountId: string,
): HeldZone[] {
  const odd = ['account.name', 'type', 'match'].find((key) => query.has(key))
  if (odd !== undefined) throw new Refused('not_emulated', `the filter ${odd}`)
  const name = query.get('name')
  const tests = [
    ...(name === null ? [] : [nameTest(name)]),
    ...valueTest<HeldZone>(query, 'status', ({ status }) => status),
    ...valueTest<HeldZone>(query, 'account.id', () => accountId),
  ]
  const asked = all.filter((zone) => tests.every((test) => test(zone)))
  return ordered(asked, query, ['name', 'status'])
}

/** A bare name, or an operator, a colon and a part of one. */
function nameTest(written: string): Test<HeldZone> {
  const [, operator, text] = /^(\w+):(.*)$/s.exec(written) ?? [undefined, 'equal', written]
  const asked = text!.toLowerCase()
  if (operator === 'equal') return ({ name }) => name === asked
  if (operator === 'not_equal') return ({ name }) => name !== asked
  if (operator === 'starts_with') return ({ name }) => name.startsWith(asked)
  if (operator === 'ends_with') return ({ name }) => name.endsWith(asked)
  if (operator === 'contains') return ({ name }) => name.includes(asked)
  throw new Refused('not_emulated', `the operator ${operator}`)
}

/** In order of creation by default. */
function ordered<T extends object>(
  members: readonly T[],
  query: URLSearchParams,
  fields: readonly (keyof T & string)[],
): T[] {
  const asked = query.get('order')
  const field = fields.find((name) => name === asked)
  if (asked !== null && field === undefined) throw new Refused('not_emulated', `order by ${asked}`)
  if (field === undefined) return [...members]
  const sign = query.get('direction') === 'desc' ? -1 : 1
  return members.toSorted((a, b) => sign * compared(a[field], b[field]))
}

const compared = (a: unknown, b: unknown): number =>
  typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1
