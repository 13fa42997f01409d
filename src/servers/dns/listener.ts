/** What a listener for DNS queries is given, and what it gives. */
import type { Transport } from './answer.ts'

export type Answer = (
  query: Uint8Array,
  transport: Transport,
  remote: string,
) => Buffer | undefined | Promise<Buffer | undefined>

/** The messages of a reply, made as they are taken; undefined for what `Answer` is to answer. */
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
  /** Told of every failure. None of them ends the server. */
  onError: (error: unknown) => void
}

export type Listener = AsyncDisposable & {
  address: string
  port: number
  /** Of UDP: what the kernel keeps of a burst of queries, in octets. */
  receiveBufferOctets?: number
}
