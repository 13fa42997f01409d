/**
 * One question to one server, and its answer: over UDP first, over TCP when the answer was cut short
 * or did not keep the case of our question. `node:dns` shows neither flags nor authority nor TTLs.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import packet, { type DecodedPacket, type RecordType } from 'dns-packet'
import { type Reply, toReply } from './reply.ts'

export type Transport = 'udp' | 'tcp'

export type Question = {
  /** Without a trailing dot; '' is the root. */
  name: string
  type: RecordType
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
    if (reply !== undefined && !reply.flag_tc) return { ...toReply(reply), transport }
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
  const name = randomCase(question.name)
  let answer: DecodedPacket | undefined
  const accept = (message: Buffer) => {
    const decoded = decode(message)
    if (decoded === undefined || decoded.id !== id || decoded.type !== 'response') return false
    const asked = decoded.questions?.[0]
    if (asked?.name.toLowerCase() !== question.name || asked.type !== question.type) return false
    answer = asked.name === name ? decoded : undefined
    return true
  }
  await channel(server, encode(id, name, question), accept, signal)
  return answer
}

function encode(id: number, name: string, question: Question): Buffer {
  return packet.encode({
    type: 'query',
    id,
    flags: question.recursive ? packet.RECURSION_DESIRED : 0,
    questions: [{ type: question.type, name }],
    // DNSSEC OK, so that a referral carries the DS of the child (RFC 4035 section 3.1.4).
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: UDP_PAYLOAD_SIZE,
        flags: packet.DNSSEC_OK,
        options: [],
      },
    ] as never,
  })
}

function decode(message: Buffer): DecodedPacket | undefined {
  try {
    return packet.decode(message)
  } catch {
    return undefined // Not a DNS message: not an answer to us, so we go on waiting for one.
  }
}

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
