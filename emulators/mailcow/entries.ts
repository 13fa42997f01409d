/** The answer to a write is a list of these, with HTTP 200 whatever they say. */
import { type Data, isGiven } from './php.ts'
import type { Mailcow } from './state.ts'

export type Message = string | (string | number)[]
export type Entry = { type: 'success' | 'danger' | 'warning'; log: unknown[]; msg: Message }
export type Say = (type: Entry['type'], msg: Message) => Entry

/** Each entry echoes the call it comes from. */
export const sayer =
  (log: unknown[]): Say =>
  (type, msg) => ({ type, log, msg })

/** One write: takes the input, and returns its entries. */
export type Write = (mailcow: Mailcow, data: Data, say: Say) => Entry[] | Promise<Entry[]>

export type WriteRoute = { log(data: Data): unknown[]; write: Write }

export function masked(data: Data, ...keys: string[]): Data {
  const stars = keys.filter((key) => isGiven(data[key])).map((key) => [key, '*'])
  return { ...data, ...Object.fromEntries(stars) }
}
