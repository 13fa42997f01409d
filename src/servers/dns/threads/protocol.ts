/** The messages between the main thread and the threads that answer. */
import type { Transport } from '../responder.ts'
import type { Growth, Shared } from '../store/shared.ts'
import type { TransferTerms } from '../transfer/secondary-traffic.ts'

export type Sockets = 'batched' | 'dgram'

/** The data a thread starts with. */
export type ThreadData = {
  shared: Shared
  slot: number
  defence: Defence
  /** The words of `COUNTER`, with the word that ends the thread. */
  counters: Int32Array<SharedArrayBuffer>
  /** Several threads listen on one port. */
  isOneOfMany: boolean
  /** The thread's sockets outside of Node, each as its descriptor plus one, for its successor to close. */
  descriptors: Int32Array<SharedArrayBuffer>
  /** Absent without secondaries. */
  transfers?: TransferTerms | undefined
}

export type Defence = {
  /** Replies a second to one prefix about one name; 0 for no limit. */
  rateLimit: number
  threads: number
  /** Loopback addresses cannot be forged from outside, so they are limited only if this is set. */
  limitsLoopback: boolean
  cookieKey: Uint8Array
}

export const COUNTER = {
  queries: 0,
  replies: 1,
  truncated: 2,
  limited: 3,
  /** Not a counter: 1 ends the thread. */
  stop: 4,
} as const
export const COUNTERS = 5
/** The most addresses that one thread listens at. */
export const MAX_LISTENERS = 64
/** The most messages of secondaries handed over at once: more than the connections of an address. */
export const MAX_HANDED_OVER = 256

/**
 * The main thread's reply to a message handed over: the next message of the reply; `end` after the last;
 * `ordinary` if the thread is to answer it as usual; or `failed`.
 */
export type ReplyPart = Uint8Array<ArrayBuffer> | 'end' | 'ordinary' | 'failed'

export type ToThread =
  | { is: 'listen'; id: number; address: string; port: number }
  | { is: 'close'; id: number }
  | { is: 'growth'; growth: Growth }
  | { is: 'part'; id: number; part: ReplyPart }
  | { is: 'stop' }

export type FromThread =
  | { is: 'ready' }
  | { is: 'listening'; id: number; port: number; receiveBufferOctets: number | undefined }
  | { is: 'closed'; id: number }
  | { is: 'refused'; id: number; message: string; code: string | undefined }
  | { is: 'acknowledged'; number: number }
  | { is: 'asked'; name: string }
  | { is: 'transfer'; id: number; query: Uint8Array; transport: Transport; remote: string }
  /** Requests the next message of that reply, or cancels the rest. */
  | { is: 'next'; id: number }
  | { is: 'end'; id: number }
  | { is: 'trouble'; message: string }
