/** Nameservers that say what a test has them say, right or wrong. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
} from 'dns-packet'

/** What is said to a question; with authority, unless told. */
export type Said = {
  rcode?: number
  aa?: boolean
  /** Whether it offers recursion. */
  ra?: boolean
  answers?: Answer[]
  authorities?: Answer[]
  additionals?: Answer[]
}

export const [NXDOMAIN, REFUSED] = [3, 5]

/** A nameserver that says the same over UDP to everyone who asks for the same; gives its port. */
export async function serve(
  opened: AsyncDisposableStack,
  address: string,
  port: number,
  answer: (name: string, type: string) => Said,
): Promise<number> {
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => {
    const { id, questions } = decode(message)
    const { name, type } = questions![0]!
    const { rcode = 0, aa = true, ra = false, ...sections } = answer(name.toLowerCase(), type)
    const flags = rcode | (aa ? AUTHORITATIVE_ANSWER : 0) | (ra ? RECURSION_AVAILABLE : 0)
    const reply: Packet = { type: 'response', id: id!, flags, questions: questions!, ...sections }
    socket.send(encode(reply), from.port, from.address)
  })
  socket.bind(port, address)
  await once(socket, 'listening')
  opened.defer(() => new Promise((resolve) => socket.close(() => resolve())))
  return socket.address().port
}

export const ns = (name: string, data: string, ttl = 300): Answer => ({
  name,
  type: 'NS',
  ttl,
  data,
})
export const a = (name: string, data: string): Answer => ({ name, type: 'A', ttl: 300, data })
export const soa = (name: string, ttl: number, minimum: number): Answer => {
  const data = { mname: 'm', rname: 'r', serial: 1, refresh: 1, retry: 1, expire: 1, minimum }
  return { name, type: 'SOA', ttl, data }
}
