/** What the main thread and the threads that answer say to each other. */
import type { Transport } from '../responder.ts'
import type { Growth, Shared } from '../store/shared.ts'
import type { TransferTerms } from '../transfer/concern.ts'

export type Sockets = 'batched' | 'dgram'

/** What a thread is started with. */
export type ThreadData = {
  shared: Shared
  slot: number
  defence: Defence
  /** Words of `COUNTER`, and the word that ends the thread. */
  counters: Int32Array<SharedArrayBuffer>
  /** Several threads listen at one port. */
  isOneOfMany: boolean
  /** The sockets that a thread has open outside of Node, each as its number and one, for its successor to close. */
  descriptors: Int32Array<SharedArrayBuffer>
  /** Absent: there are no secondaries. */
  transfers?: TransferTerms | undefined
}

export type Defence = {
  /** Replies a second to one prefix about one name; 0 for no limit. */
  rateLimit: number
  threads: number
  /** A loopback address cannot be forged from outside, so it is not limited unless this says so. */
  limitsLoopback: boolean
  cookieKey: Uint8Array
}

export const COUNTER = {
  queries: 0,
  replies: 1,
  truncated: 2,
  limited: 3,
  /** Not to be counted: 1 ends the thread. */
  stop: 4,
} as const
export const COUNTERS = 5
/** How many addresses one thread listens at. */
export const MAX_LISTENERS = 64
/** How many messages of secondaries one thread has handed over at once: more than the connections of an address. */
export const MAX_HANDED_OVER = 256

/**
 * What the main thread says to a message that was handed over: the next message of the reply, or that there
 * is none more; that the thread is to answer as it does others; or that the reply cannot be had.
 */
export type Told = Uint8Array<ArrayBuffer> | 'end' | 'ordinary' | 'failed'

export type ToThread =
  | { is: 'listen'; id: number; address: string; port: number }
  | { is: 'close'; id: number }
  | { is: 'growth'; growth: Growth }
  | { is: 'told'; id: number; told: Told }
  | { is: 'stop' }

export type FromThread =
  | { is: 'ready' }
  | { is: 'listening'; id: number; port: number; receiveBufferOctets: number | undefined }
  | { is: 'closed'; id: number }
  | { is: 'refused'; id: number; message: string; code: string | undefined }
  | { is: 'acknowledged'; number: number }
  | { is: 'asked'; name: string }
  | { is: 'transfer'; id: number; query: Uint8Array; transport: Transport; remote: string }
  /** The next message of that reply is wanted; or none any more. */
  | { is: 'next'; id: number }
  | { is: 'end'; id: number }
  | { is: 'trouble'; message: string }
