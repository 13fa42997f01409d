/** A zone's former host: the emulated Cloudflare's nameserver, behind one that leaves some questions unanswered. */
import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { readMessage } from '#dns/message.ts'
import { nameOf } from '#dns/name.ts'
import { readQuery } from '#dns/query.ts'
import { nameOfType } from '#dns/types.ts'
import type { Json } from './client.ts'
import { makeZone } from './cloudflare.ts'
import type { Outside } from './outside.ts'

/** What becomes of a question; undefined: it is answered. */
export type Fault = 'servfail' | 'formerr_to_edns' | 'silence' | undefined

export type FormerHost = AsyncDisposable & {
  /** `address:port` of the nameserver behind. */
  server: string
  /** Decides what becomes of a question about an absolute name. */
  misbehave: ((name: string, type: string) => Fault) | undefined
  /** Makes a zone, delegates it, and gives its nameservers. */
  serve(name: string, records: readonly object[]): Promise<string[]>
}

/** Must be called before the product reads its accounts. */
export async function startFormerHost({ cloudflare, settings }: Outside): Promise<FormerHost> {
  const { address, port } = cloudflare.dns
  const socket = createSocket('udp4')
  const host: FormerHost = {
    server: `${address}:${port}`,
    misbehave: undefined,
    serve: async (name, records) => (await makeZone(cloudflare, name, records)).nameservers,
    [Symbol.asyncDispose]: () => new Promise((closed) => socket.close(() => closed())),
  }
  socket.on('message', async (query, from) => {
    const { questions } = readMessage(query)
    const fault = host.misbehave?.(nameOf(questions[0]!.labels), nameOfType(questions[0]!.type))
    if (fault === 'silence') return
    const refusal = faultyReply(query, fault)
    if (refusal) socket.send(refusal, from.port, from.address)
    else socket.send(await forwarded(query, address, port), from.port, from.address)
  })
  socket.bind(0, address)
  await once(socket, 'listening')
  await leadThrough(settings.MAILSTEAD_ACCOUNTS!, `${address}:${socket.address().port}`)
  return host
}

const SERVFAIL = 2
const FORMERR = 1

function faultyReply(query: Buffer, fault: Fault): Buffer | undefined {
  const hasEdns = readQuery(query)?.edns !== undefined
  const rcode =
    fault === 'servfail' ? SERVFAIL : fault === 'formerr_to_edns' && hasEdns ? FORMERR : undefined
  if (rcode === undefined) return undefined
  const reply = Buffer.from(query)
  reply.writeUInt16BE(0x8000 | rcode, 2)
  return reply
}

async function forwarded(query: Buffer, address: string, port: number): Promise<Buffer> {
  const socket = createSocket('udp4')
  try {
    socket.send(query, port, address)
    const [reply] = (await once(socket, 'message')) as [Buffer, RemoteInfo]
    return reply
  } finally {
    socket.close()
  }
}

/** The nameservers of the account are found behind this one. */
async function leadThrough(file: string, server: string): Promise<void> {
  const accounts = JSON.parse(await readFile(file, 'utf8')) as Json
  accounts.cf!.sandbox!.servers = [server] as never
  await writeFile(file, JSON.stringify(accounts))
}
