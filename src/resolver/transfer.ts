/** Zone transfers from servers that allow everyone (RFC 5936). Most do not. */
import { randomInt } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { writeQuery } from '#dns/query.ts'
import { RCODE } from '#dns/types.ts'
import { absolute } from '#names/domain-name.ts'
import { lengthOf, type Server } from './exchange.ts'
import { decode, type Rr, toReply } from './reply.ts'

const LIMIT_MS = 3000
/** No larger zone file can be imported, either. */
const RECORDS = 2000
const OCTETS = 4 * 1024 * 1024

/** The records between the two SOA; undefined when the server does not give the zone, or not whole. */
export async function transferZone(
  { address, port }: Server,
  zone: string,
  signal: AbortSignal,
): Promise<Rr[] | undefined> {
  const id = randomInt(0x10000)
  const name = absolute(zone)
  const question = writeQuery({ id, name, type: 'AXFR', isRecursionDesired: false })
  const socket = connect({ host: address, port })
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)])
  limit.addEventListener('abort', () => socket.destroy(limit.reason), { once: true })
  try {
    socket.write(Buffer.concat([lengthOf(question), question]))
    return await recordsOf(socket, id)
  } catch {
    // The queries that follow tell an unreachable server from one that refuses transfers.
    signal.throwIfAborted()
    return undefined
  } finally {
    socket.destroy()
  }
}

async function recordsOf(socket: Socket, id: number): Promise<Rr[] | undefined> {
  const records: Rr[] = []
  for await (const message of messagesOf(socket)) {
    const decoded = decode(message)
    if (decoded?.id !== id || decoded.rcode !== RCODE.NOERROR) return undefined
    records.push(...toReply(decoded).answers)
    if (records[0]?.type !== 'SOA' || records.length > RECORDS) return undefined
    // RFC 5936 section 2.2: the SOA stands at both ends.
    if (records.length > 1 && records.at(-1)!.type === 'SOA') return records.slice(1, -1)
  }
  return undefined
}

/** RFC 1035 section 4.2.2: each message has its length before it. */
async function* messagesOf(socket: Socket): AsyncGenerator<Buffer> {
  let received = Buffer.alloc(0)
  let octets = 0
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    octets += chunk.length
    if (octets > OCTETS) return
    received = Buffer.concat([received, chunk])
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0)
      yield received.subarray(2, end)
      received = received.subarray(end)
    }
  }
}
