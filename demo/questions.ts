/** Queries the product's nameserver and its mail server as any internet host could. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import packet, { type Answer, type DecodedPacket } from 'dns-packet'
import { Unexpected } from './unexpected.ts'

const LIMIT_MS = 5000

export type DnsReply = {
  rcode: string
  isAuthoritative: boolean
  /** In presentation form, as dig shows them. */
  records: { owner: string; rdata: string }[]
}

/** One query over UDP. */
export async function askNameserver(
  server: string,
  name: string,
  type: 'MX' | 'TXT',
  signal: AbortSignal,
): Promise<DnsReply> {
  const { host, port } = endpoint(server)
  const socket = createSocket('udp4')
  try {
    socket.connect(port, host)
    await once(socket, 'connect')
    const id = Math.floor(Math.random() * 0x10000)
    socket.send(
      packet.encode({ type: 'query', id, questions: [{ name, type }], additionals: [EDNS] }),
    )
    const [message] = await once(socket, 'message', { signal: limited(signal) })
    return readReply(message, name)
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof Unexpected ? error : noAnswer(`nameserver about ${name}`, error)
  } finally {
    socket.close()
  }
}

/** RFC 6891: without it a reply holds 512 octets, which is little for a DKIM key. */
const EDNS: Answer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: 1232,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
}

function readReply(message: Buffer, name: string): DnsReply {
  const reply = packet.decode(message) as DecodedPacket & { rcode: string }
  if (reply.flag_tc) throw new Unexpected(`The answer about ${name} did not fit in one packet.`)
  const { rcode, flag_aa: isAuthoritative, answers = [] } = reply
  return { rcode, isAuthoritative, records: answers.map(present) }
}

function present(answer: Answer): DnsReply['records'][number] {
  const ttl = 'ttl' in answer ? answer.ttl : 0
  return { owner: `${answer.name}. ${ttl} IN ${answer.type}`, rdata: rdataOf(answer) }
}

function rdataOf(answer: Answer): string {
  if (answer.type === 'MX') return `${answer.data.preference} ${answer.data.exchange}.`
  // RFC 7208 section 3.3: the strings of a TXT record are read as one.
  if (answer.type === 'TXT') return `"${[answer.data].flat().join('')}"`
  throw new Unexpected(`The nameserver answered with a ${answer.type} record nobody asked for.`)
}

export type Talk = { said: string; reply: string }[]

/** Offers a mail for the recipient and disconnects before sending it. Returns the dialogue. */
export async function offerMail(
  server: string,
  recipient: string,
  signal: AbortSignal,
): Promise<Talk> {
  const socket = connect({ ...endpoint(server), signal: limited(signal) })
  try {
    const replies = repliesOf(socket)
    await nextOf(replies)
    const talk: Talk = []
    for (const said of ['EHLO outside.test', `MAIL FROM:<${SENDER}>`, `RCPT TO:<${recipient}>`]) {
      socket.write(`${said}\r\n`)
      talk.push({ said, reply: await nextOf(replies) })
    }
    return talk
  } catch (error) {
    signal.throwIfAborted()
    throw noAnswer(`mail server about ${recipient}`, error)
  } finally {
    socket.destroy()
  }
}

const SENDER = 'visitor@inbox.test'

/** RFC 5321 section 4.2.1: the last line of a reply has no hyphen after its code. */
async function* repliesOf(socket: Socket): AsyncGenerator<string, undefined> {
  let heard = ''
  for await (const chunk of socket.setEncoding('latin1')) {
    const lines = `${heard}${chunk}`.split('\r\n')
    heard = lines.pop()!
    yield* lines.filter((line) => line[3] !== '-')
  }
}

async function nextOf(replies: AsyncGenerator<string, undefined>): Promise<string> {
  const { value } = await replies.next()
  if (value === undefined) throw new Error('it hung up')
  return value
}

const limited = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)])

const noAnswer = (whom: string, error: unknown) =>
  new Unexpected(`No answer came from the ${whom} (${error}).`)

function endpoint(written: string): { host: string; port: number } {
  const [host = '', port] = written.split(':')
  return { host, port: Number(port) }
}
