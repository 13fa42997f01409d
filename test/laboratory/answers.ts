/** What a server says to a question, as text that can be compared; asked with a library we did not write. */
import { createSocket } from 'node:dgram'
import packet, { type DecodedPacket, type RecordType } from 'dns-packet'

/** `label` is below the name that is moved, and empty for the name itself. */
export type Question = readonly [label: string, type: RecordType]

/** A resolver answers without authority of its own, and only who asks for recursion. */
export type Server = { title: string; address: string; isResolver?: boolean }

const LIMIT_MS = 2000
/** RFC 6891: a key of 2048 bits must not be cut off at 512 octets. */
const EDNS = { type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0 } as packet.OptAnswer

export async function ask(server: Server, name: string, type: RecordType): Promise<DecodedPacket> {
  const socket = createSocket('udp4')
  try {
    const reply = new Promise<Buffer>((resolve, reject) => {
      socket.on('message', resolve)
      socket.on('error', reject)
      setTimeout(() => reject(new Error('no answer')), LIMIT_MS).unref()
    })
    const flags = server.isResolver ? packet.RECURSION_DESIRED : 0
    const query = { type: 'query', id: 1, flags, questions: [{ name, type }], additionals: [EDNS] }
    socket.send(packet.encode(query as packet.Packet), 53, server.address)
    return packet.decode(await reply)
  } finally {
    socket.close()
  }
}

/** RCODE and rdata in one order; TTLs and the letters of a name nobody has are left out. */
export async function answerOf(server: Server, name: string, type: RecordType): Promise<string> {
  try {
    const reply = await ask(server, name, type)
    const lines = (reply.answers ?? []).map((rr) => lineOf(rr as Rr, name)).toSorted()
    return [codeOf(reply, server), ...lines].join(' | ')
  } catch (error) {
    return (error as Error).message
  }
}

type Rr = { name: string; type: string; data: unknown }

const lineOf = ({ name, type, data }: Rr, asked: string): string =>
  `${name.toLowerCase() === asked ? '' : `${name} `}${type} ${textOf(data)}`

function codeOf(reply: DecodedPacket, { isResolver }: Server): string {
  const { rcode } = reply as DecodedPacket & { rcode: string }
  if (reply.flag_tc) return `${rcode} cut off`
  return isResolver || reply.flag_aa ? rcode : `${rcode} without authority`
}

/** The strings of a TXT are joined, as all do who read one for mail (RFC 7208 section 3.3, RFC 6376 3.6.2.2). */
const textOf = (data: unknown): string =>
  Array.isArray(data)
    ? `"${data.map((string) => string.toString('latin1')).join('')}"`
    : inOneLine(data)

const inOneLine = (data: unknown): string =>
  typeof data === 'string' ? data : Object.values(data as object).join(' ')

/** Who answered, by the SOA that an empty answer comes with. */
export async function originOf(server: Server, name: string, type: RecordType): Promise<string> {
  const reply = await ask(server, name, type).catch(() => undefined)
  const soa = reply?.authorities?.find((rr) => rr.type === 'SOA')
  return soa?.type === 'SOA' ? soa.data.mname.toLowerCase() : ''
}

/** The nameservers that the parent shows. */
export async function shownBy(parent: Server, name: string): Promise<string[]> {
  const { authorities = [] } = await ask(parent, name, 'NS')
  return authorities.flatMap((rr) => (rr.type === 'NS' ? String(rr.data) : [])).toSorted()
}
