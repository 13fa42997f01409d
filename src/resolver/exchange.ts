/**
 * Sends one query to one server: first over UDP; over TCP if the reply is truncated or changes the
 * case of the question; without EDNS if the server does not support it. `node:dns` shows neither
 * flags nor the authority section nor TTLs.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { Message } from '#dns/message.ts'
import { nameOf, writtenName } from '#dns/name.ts'
import { writeQuery } from '#dns/query.ts'
import { numberOfType, RCODE, type TypeName } from '#dns/types.ts'
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

/** The server sent no usable reply: that says nothing about the name. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
  readonly outcome: 'timeout' | 'unreachable'
  /** A timeout or a closed connection may be temporary. */
  readonly isWorthAnotherTry: boolean

  constructor(how: 'timeout' | 'unreachable' | 'closed', message: string) {
    super(message)
    this.outcome = how === 'closed' ? 'unreachable' : how
    this.isWorthAnotherTry = how !== 'unreachable'
  }
}

// The size that travels unfragmented nearly everywhere (DNS Flag Day 2020).
const UDP_PAYLOAD_SIZE = 1232

/** One try: with or without EDNS, and its time limit. */
type Try = { edns: boolean; limitMs: number }

/**
 * The tries for a silent server. Some drop queries with EDNS (RFC 6891 section 7); without it a referral
 * has no DS, so that is the last try.
 */
const TRIES: Record<Transport, readonly Try[]> = {
  udp: [
    { edns: true, limitMs: 3000 },
    { edns: true, limitMs: 2000 },
    { edns: false, limitMs: 2000 },
  ],
  tcp: [
    { edns: true, limitMs: 3000 },
    { edns: true, limitMs: 3000 },
  ],
}

/** Waits until the next message may be sent to that server. */
export type Turn = () => Promise<void>

const AT_ONCE: Turn = async () => {}

type Asking = { server: Server; question: Question; signal: AbortSignal; turn: Turn }

/** Sends a query, with at most three tries and 7 s. Throws `NoAnswer`, or the signal's reason. */
export async function exchange(
  server: Server,
  question: Question,
  transport: Transport,
  signal: AbortSignal,
  turn: Turn = AT_ONCE,
): Promise<Reply & { transport: Transport }> {
  const asking = { server, question, signal, turn }
  let failure: unknown
  for (const each of TRIES[transport]) {
    signal.throwIfAborted()
    try {
      return await askOnce(asking, transport, each)
    } catch (error) {
      failure = error
      if (!(error instanceof NoAnswer) || !error.isWorthAnotherTry) throw error
    }
  }
  throw failure
}

/** One try. Repeats it without EDNS, or over TCP, if the reply demands that. */
async function askOnce(
  asking: Asking,
  transport: Transport,
  { edns, limitMs }: Try,
): Promise<Reply & { transport: Transport }> {
  await asking.turn()
  const { message, hasOurCase } = await send(asking, transport, { edns, limitMs })
  if (edns && isAgainstEdns(message)) return askOnce(asking, transport, { edns: false, limitMs })
  // An off-path attacker does not know the case of our letters, and cannot answer over TCP.
  if (transport === 'udp' && (message.isTruncated || !hasOurCase)) {
    return askOnce(asking, 'tcp', { edns, limitMs })
  }
  return { ...toReply(message), transport }
}

/**
 * RFC 6891 section 7: a server that does not know EDNS says FORMERR, and some say NOTIMP. An extended
 * RCODE, as BADVERS, is about EDNS itself.
 */
function isAgainstEdns({ rcode }: Message): boolean {
  return rcode === RCODE.FORMERR || rcode === RCODE.NOTIMP || rcode > MAX_PLAIN_RCODE
}

const MAX_PLAIN_RCODE = 15

type Channel = (wire: Wire) => Promise<void>
/** Whether a message is the reply to our query. */
type Accept = (message: Buffer) => boolean
type Wire = { server: Server; query: Buffer; accept: Accept; limitMs: number; signal: AbortSignal }

/** The reply, and whether it repeats the question in the same case. */
async function send(
  { server, question, signal }: Asking,
  transport: Transport,
  { edns, limitMs }: Try,
): Promise<{ message: Message; hasOurCase: boolean }> {
  const id = randomInt(0x10000)
  const name = randomCase(absolute(question.name))
  let answer: Message | undefined
  const accept = (message: Buffer) => {
    const decoded = decode(message)
    if (decoded === undefined || !isAnswer(decoded, id, question)) return false
    answer = decoded
    return true
  }
  const query = writeQuery({
    id,
    name,
    type: question.type,
    isRecursionDesired: question.recursive,
    udpSize: edns ? UDP_PAYLOAD_SIZE : undefined,
  })
  const channel: Channel = transport === 'udp' ? viaUdp : viaTcp
  await channel({ server, query, accept, limitMs, signal })
  const asked = answer!.questions[0]
  return { message: answer!, hasOurCase: !asked || writtenName(asked.labels) === name }
}

/** Whether the message answers this question. A server without EDNS may omit the question. */
function isAnswer(message: Message, id: number, { name, type }: Question): boolean {
  if (message.id !== id || !message.isResponse) return false
  const asked = message.questions[0]
  if (asked === undefined) return isAgainstEdns(message)
  return nameOf(asked.labels) === absolute(name) && asked.type === numberOfType(type)
}

/** Randomises the case of letters, so that a forger must guess it (draft-vixie-dnsext-dns0x20). */
const randomCase = (name: string): string =>
  name.replace(/[a-z]/g, (letter) => (randomInt(2) === 0 ? letter : letter.toUpperCase()))

function viaUdp({ server, query, accept, ...limits }: Wire): Promise<void> {
  const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
  return settle(
    limits,
    () => socket.close(),
    (resolve, reject) => {
      socket.on('error', reject)
      socket.on('message', (message) => accept(message) && resolve())
      // A connected socket takes packets from this server alone, and reports closed ports.
      socket.connect(server.port, server.address, () => socket.send(query))
    },
  )
}

/** RFC 7766 section 6.2.1 lets a server close at any time: each question has a connection of its own. */
function viaTcp({ server, query, accept, ...limits }: Wire): Promise<void> {
  const socket = connect({ host: server.address, port: server.port })
  const messages = messageReader()
  return settle(
    limits,
    () => socket.destroy(),
    (resolve, reject) => {
      socket.on('error', reject)
      socket.on('close', () => reject(new NoAnswer('closed', 'the connection was closed')))
      socket.on('connect', () => socket.write(Buffer.concat([lengthOf(query), query])))
      socket.on('data', (chunk) => {
        // RFC 7766 section 7: the id and the question identify a reply; others may come first.
        if (messages(chunk).some(accept)) resolve()
      })
    },
  )
}

/** Splits a stream into messages. It buffers at most one message, of at most 65,535 octets. */
function messageReader(): (chunk: Buffer) => Buffer[] {
  let received = Buffer.alloc(0)
  return (chunk) => {
    const messages: Buffer[] = []
    received = Buffer.concat([received, chunk])
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0)
      messages.push(received.subarray(2, end))
      received = received.subarray(end)
    }
    return messages
  }
}

// RFC 1035 section 4.2.2: a two-octet length stands before each message on a stream.
export function lengthOf(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return length
}

/** Runs an exchange over a socket until its result, the time limit or the signal. */
async function settle(
  { limitMs, signal }: { limitMs: number; signal: AbortSignal },
  close: () => void,
  begin: (resolve: () => void, reject: (error: unknown) => void) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(new NoAnswer('timeout', 'no answer in time')), limitMs)
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
