/** Reads and writes master files (RFC 1035 section 5). Any nameserver can load the output. */
import { nameBelow } from './name.ts'
import { canonicalRdata, masterRdata, rdataOfWords, type ServedType } from './rdata.ts'
import { type RRsetType, rrsetTypeOf } from './rrset.ts'
import type { Word } from './text.ts'
import { nameOfType, numberOfType } from './types.ts'

/**
 * One record of a file, with the line where it begins. `value` is absent if no rrset here can have
 * the type.
 */
export type FileRecord = { line: number; name: string; ttl: number } & (
  | { type: RRsetType; value: string }
  | { type: string; value?: undefined }
)

/** An error in a line, as a sentence. */
export type FileProblem = { line: number; message: string }

/** The records of a file, and an error for each line without a readable record. */
export type FileContents = {
  records: readonly FileRecord[]
  problems: readonly FileProblem[]
}

/** The TTL of records before the first TTL in the file. RFC 1035 defines none; an hour is usual. */
const USUAL_TTL_S = 3600
const MAX_TTL_S = 2 ** 31 - 1

/** One line of the file for each record. */
export const masterLine = (name: string, ttl: number, type: ServedType, value: string): string =>
  `${name}\t${ttl}\tIN\t${type}\t${masterRdata(type, value)}`

/**
 * Reads a file. `origin`, an absolute name, is the initial $ORIGIN. A file with more than `limit`
 * records ends with a problem. Never throws, whatever the file contains.
 */
export function readMasterFile(text: string, origin: string, limit: number): FileContents {
  const state: State = { origin, owner: undefined, ttl: undefined, lastTtl: USUAL_TTL_S }
  const records: FileRecord[] = []
  const problems: FileProblem[] = []
  let entries = 0
  for (const entry of entriesOf(text)) {
    try {
      const record = readEntry(entry, state)
      if (record) records.push(record)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      problems.push({ line: entry.line, message: error.message })
    }
    if (records.length > limit || ++entries > 2 * limit) {
      problems.push({ line: entry.line, message: `the file holds more than ${limit} records` })
      break
    }
  }
  return { records, problems }
}

type State = {
  origin: string
  owner: string | undefined
  /** The value of the latest $TTL (RFC 2308 section 4). */
  ttl: number | undefined
  /** RFC 1035 section 5.1: a record without a TTL has that of the record before it. */
  lastTtl: number
}

function readEntry({ words, isIndented, problem, line }: Entry, state: State) {
  if (problem) throw new RangeError(problem)
  if (!isIndented && words[0]!.text.startsWith('$') && !words[0]!.isQuoted) {
    return readDirective(words, state)
  }
  if (!isIndented) state.owner = nameBelow(words[0]!.text, state.origin)
  if (state.owner === undefined)
    throw new RangeError('it has no owner, and no record stands before it')
  const { ttl, type, rdata } = readFields(isIndented ? words : words.slice(1))
  state.lastTtl = ttl ?? state.ttl ?? state.lastTtl
  const held = rrsetTypeOf(type)
  const place = { line, name: state.owner, ttl: state.lastTtl }
  if (held === undefined) return { ...place, type }
  const value = canonicalRdata(held, rdataOfWords(held, rdata, state.origin))
  return { ...place, type: held, value }
}

function readDirective([directive, argument]: readonly Word[], state: State): undefined {
  const name = directive!.text.toUpperCase()
  const { text = '' } = argument ?? {}
  if (name === '$ORIGIN') state.origin = nameBelow(text, state.origin)
  else if (name === '$TTL') state.ttl = ttlOf(text) ?? noTtl(text)
  else throw new RangeError(`${directive!.text} is not taken: write the records themselves`)
}

function noTtl(text: string): never {
  throw new RangeError(`"${text}" is no TTL`)
}

/** RFC 1035 section 5.1: TTL and class stand before the type, in either order, and either may be absent. */
function readFields(words: readonly Word[]) {
  let ttl: number | undefined
  for (const [i, { text }] of words.slice(0, 3).entries()) {
    const found = ttlOf(text)
    const number = numberOfType(text)
    if (/^(CH|HS|CLASS\d+)$/i.test(text))
      throw new RangeError(`the class ${text} is not served here`)
    if (number !== undefined) return { ttl, type: nameOfType(number), rdata: words.slice(i + 1) }
    if (found === undefined && !/^IN$/i.test(text)) {
      throw new RangeError(`"${text}" is no type of record that is known here`)
    }
    ttl ??= found
  }
  throw new RangeError('it has no type')
}

const UNITS: Record<string, number> = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1 }

/** Reads seconds, or numbers with the units of BIND, as in `1h30m`. */
function ttlOf(text: string): number | undefined {
  if (!/^(?:\d{1,10}[wdhms]?)+$/i.test(text)) return undefined
  const parts = text.toLowerCase().matchAll(/(\d+)([wdhms]?)/g)
  const ttl = [...parts].reduce((sum, [, n, unit]) => sum + Number(n) * UNITS[unit || 's']!, 0)
  return ttl <= MAX_TTL_S ? ttl : undefined
}

/** The words of one entry: a line, or several lines in parentheses. */
type Entry = { line: number; words: Word[]; isIndented: boolean; problem?: string }

const TOKEN =
  /([ \t]+)|;.*|([()])|"((?:[^"\\]|\\.)*)"|((?:[^\s"\\;()]|\\.)+(?:"(?:[^"\\]|\\.)*")?)/suy

function* entriesOf(text: string): Generator<Entry> {
  let entry: Entry | undefined
  let depth = 0
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    entry ??= { line: index + 1, words: [], isIndented: /^[ \t]/.test(line) }
    depth = scan(line, entry, depth)
    if (depth > 0 && entry.problem === undefined) continue
    if (entry.words.length > 0 || entry.problem !== undefined) yield entry
    entry = undefined
    depth = 0
  }
  if (entry !== undefined) yield { ...entry, problem: 'a parenthesis is not closed' }
}

/** Adds the words of a line to the entry; returns how many parentheses are open at its end. */
function scan(line: string, entry: Entry, depth: number): number {
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < line.length; ) {
    const found = TOKEN.exec(line)
    if (found === null) {
      entry.problem = 'a quotation mark or an escape is not ended'
      return 0
    }
    const [, , parenthesis, quoted, plain] = found
    if (parenthesis !== undefined) depth += parenthesis === '(' ? 1 : -1
    const word = quoted ?? plain
    if (word !== undefined) entry.words.push({ text: word, isQuoted: quoted !== undefined })
  }
  if (depth < 0) entry.problem = 'a parenthesis is closed that was not open'
  return depth
}
