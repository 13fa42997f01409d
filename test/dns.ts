/** Asks a nameserver as `dig` would, with a library we did not write. */
import { createSocket } from 'node:dgram'
import packet, { type DecodedPacket, type RecordType } from 'dns-packet'
import { numberOfType, type TypeName } from '#dns/types.ts'

export type Reply = Omit<DecodedPacket, 'answers'> & {
  rcode: string
  answers: { name: string; type: string; ttl: number; data: unknown }[]
}

/** The library's word for a type that it has no name for. */
const asNamedThere = (type: TypeName) =>
  type.replace(/^(?:TYPE\d+|HTTPS|SVCB)$/, (word) => `UNKNOWN_${numberOfType(word)}`) as RecordType

const LIMIT_MS = 5000

/** One question over UDP to `address:port`. */
export async function ask(server: string, name: string, type: TypeName): Promise<Reply> {
  const [address, port] = server.split(':')
  const socket = createSocket('udp4')
  try {
    const answered = new Promise<Buffer>((resolve, reject) => {
      socket.on('message', resolve)
      socket.on('error', reject)
      setTimeout(() => reject(new Error(`no answer from ${server} for ${name}`)), LIMIT_MS).unref()
    })
    socket.send(
      packet.encode({ type: 'query', id: 1, questions: [{ name, type: asNamedThere(type) }] }),
      Number(port),
      address,
    )
    return packet.decode(await answered) as unknown as Reply
  } finally {
    socket.close()
  }
}
