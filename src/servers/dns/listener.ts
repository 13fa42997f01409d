/** The types of listeners for DNS queries. */
import type { Transport } from './answer.ts'

export type Answer = (
  query: Uint8Array,
  transport: Transport,
  remote: string,
) => Buffer | undefined | Promise<Buffer | undefined>

/** A reply as a stream of messages; undefined for queries that `Answer` answers. */
export type AnswerFirst = (
  query: Buffer,
  transport: Transport,
  remote: string,
) => AsyncIterable<Buffer> | undefined

export type ListenOptions = {
  address: string
  /** For 0, the listener chooses a port that is free for UDP and TCP. */
  port: number
  /** Answers secondaries; the listener calls it before `answer`. */
  answerFirst?: AnswerFirst
  answer: Answer
  /** Receives every error. No error ends the listener. */
  onError: (error: unknown) => void
}

export type Listener = AsyncDisposable & {
  address: string
  port: number
  /** UDP only: the receive buffer that the kernel gave, in octets. */
  receiveBufferOctets?: number
}
