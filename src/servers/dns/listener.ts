/** What a listener for DNS queries takes and returns. */
import type { Transport } from './answer.ts'

export type Answer = (
  query: Uint8Array,
  transport: Transport,
  remote: string,
) => Buffer | undefined | Promise<Buffer | undefined>

/** The messages of a reply, each made when it is taken; undefined for queries that `Answer` answers. */
export type AnswerFirst = (
  query: Buffer,
  transport: Transport,
  remote: string,
) => AsyncIterable<Buffer> | undefined

export type ListenOptions = {
  address: string
  /** 0 means any port that is free for both UDP and TCP. */
  port: number
  /** Called before `answer`: answers secondaries. */
  answerFirst?: AnswerFirst
  answer: Answer
  /** Receives every failure. None of them ends the server. */
  onError: (error: unknown) => void
}

export type Listener = AsyncDisposable & {
  address: string
  port: number
  /** UDP only: the receive buffer that the kernel gave, in octets. */
  receiveBufferOctets?: number
}
