/**
 * One question to one server, and its answer: over UDP first, over TCP when the answer was cut short
 * or did not keep the case of our question. `node:dns` shows neither flags nor authority nor TTLs.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { Message } from '#dns/message.ts'
import { nameOf, writtenName } from '#dns/name.ts'
import { writeQuery } from '#dns/query.ts'
import { numberOfType, type TypeName } from '#dns/types.ts'
import { absolute } from '#names/domain-name.ts'
import { decode, type Reply, toReply } from './reply.ts'

export type Transport = 'udp' | 'tcp'

export type Question = {
  /** Without a trailing dot; '' is the root. */
  name: string
  type: TypeName
  recursive: boolean
}

export type Server = { address: string; port: number }

/** No usable answer came: this says nothing about what was asked for. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
  readonly outcome: 'timeout' | 'unreachable' | 'malformed'

  constructor(outcome: 'timeout' | 'unreachable' | 'malformed', message: string) {
    super(message)
    this.outcome = outcome
  }
}

const TRY_MS = 3000
const TRIES = 2
// The size that travels unfragmented nearly everywhere (DNS Flag Day 2020).
const UDP_PAYLOAD_SIZE = 1232

/** To be waited for before each message that is sent to that server. */
export type Turn = () => Promise<void>

const AT_ONCE: Turn = async () => {}

/** Asks once, with at most two tries of 3 s each. Throws `NoAnswer`, or the signal's reason. */
export async function exchange(
  server: Server,
  question: Question,
  transport: Transport,
  signal: AbortSignal,
  turn: Turn = AT_ONCE,
): Promise<Reply & { transport: Transport }> {
  let failure: unknown
  for (let attempt = 0; attempt < TRIES; attempt++) {
    signal.throwIfAborted()
    try {
      return await askOnce(server, question, transport, signal, turn)
    } catch (error) {
      failure = error
      if (!(error instanceof NoAnswer) || error.outcome !== 'timeout') throw error
    }
  }
  throw failure
}

async function askOnce(
  server: Server,
  question: Question,
  transport: Transport,
  signal: AbortSignal,
  turn: Turn,
) {
  await turn()
  if (transport === 'udp') {
    const reply = await send(server, question, viaUdp, signal)
    if (reply !== undefined && !reply.isTruncated) return { ...toReply(reply), transport }
    await turn()
  }
  const reply = await send(server, question, viaTcp, signal)
  if (reply === undefined) throw new NoAnswer('malformed', 'the answer was to another question')
  return { ...toReply(reply), transport: 'tcp' as const }
}

type Channel = (server: Server, query: Buffer, accept: Accept, signal: AbortSignal) => Promise<void>
/** Looks at a message; true when it was the awaited one. */
type Accept = (message: Buffer) => boolean

/** The decoded answer, or undefined when it came with the question's case changed (see 0x20 below). */
async function send(server: Server, question: Question, channel: Channel, signal: AbortSignal) {
  const id = randomInt(0x10000)
  const name = randomCase(absolute(question.name))
  let answer: Message | undefined
  const accept = (message: Buffer) => {
    const decoded = decode(message)
    if (decoded === undefined || decoded.id !== id || !decoded.isResponse) return false
    const asked = decoded.questions[0]
    if (asked === undefined || !isSame(asked, question)) return false
    answer = writtenName(asked.labels) === name ? decoded : undefined
    return true
  }
  const query = writeQuery({
    id,
    name,
    type: question.type,
    isRecursionDesired: question.recursive,
    udpSize: UDP_PAYLOAD_SIZE,
  })
  await channel(server, query, accept, signal)
  return answer
}

const isSame = (asked: Message['questions'][number], { name, type }: Question): boolean =>
  nameOf(asked.labels) === absolute(name) && asked.type === numberOfType(type)

/** A forger must guess the case of every letter too (draft-vixie-dnsext-dns0x20). */
const randomCase = (name: string): string =>
  name.replace(/[a-z]/g, (letter) => (randomInt(2) === 0 ? letter : letter.toUpperCase()))

function viaUdp(server: Server, query: Buffer, accept: Accept, signal: AbortSignal): Promise<void> {
  const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
  return settle(
    signal,
    () => socket.close(),
    (resolve, reject) => {
      socket.on('error', reject)
      socket.on('message', (message) => accept(message) && resolve())
      // A connected socket takes packets from this server alone, and hears of closed ports.
      socket.connect(server.port, server.address, () => socket.send(query))
    },
  )
}

function viaTcp(server: Server, query: Buffer, accept: Accept, signal: AbortSignal): Promise<void> {
  const socket = connect({ host: server.address, port: server.port })
  let received = Buffer.alloc(0)
  return settle(
    signal,
    () => socket.destroy(),
    (resolve, reject) => {
      socket.on('error', reject)
      socket.on('close', () => reject(new NoAnswer('unreachable', 'the connection was closed')))
      socket.on('connect', () => socket.write(Buffer.concat([lengthOf(query), query])))
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
        if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
        const message = received.subarray(2, 2 + received.readUInt16BE(0))
        if (accept(message)) resolve()
        else reject(new NoAnswer('malformed', 'not an answer to our question'))
      })
    },
  )
}

// RFC 1035 section 4.2.2: a two-octet length stands before each message on a stream.
export function lengthOf(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return length
}

/** Runs a socket's life as a promise: ended by its result, by the time limit, or by the signal. */
async function settle(
  signal: AbortSignal,
  close: () => void,
  begin: (resolve: () => void, reject: (error: unknown) => void) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(new NoAnswer('timeout', 'no answer in time')), TRY_MS)
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    begin(resolve, reject)
    await promise
  } catch (error) {
    throw signal.aborted || error instanceof NoAnswer ? error : unreachable(error)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
    close()
  }
}

function unreachable(error: unknown): NoAnswer {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'error'
  return new NoAnswer('unreachable', code)
}
