import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, test } from 'node:test'
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode } from 'dns-packet'
import { unpaced } from './pace.ts'
import { dnsViews } from './view.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

const ROOT = '127.0.0.63'
const [FORMERR, REFUSED] = [1, 5]
/** Of a server that knows no EDNS. */
const OLD = '127.0.0.68'
const a = (name: string, data: string): Answer => ({ name, type: 'A', ttl: 300, data })
const ns = (name: string, data: string): Answer => ({ name, type: 'NS', ttl: 300, data })
const soa = (name: string): Answer => {
  const data = { mname: 'm', rname: 'r', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 }
  return { name, type: 'SOA', ttl: 60, data }
}

/** Answers over UDP: referrals at the root, and below it the one address that everybody asks for. */
async function serveUdp(address: string, port: number): Promise<number> {
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => {
    const { id, questions, additionals: asked } = decode(message)
    const { type } = questions![0]!
    if (address === OLD && asked?.length) {
      const reply = encode({ type: 'response', id: id!, flags: FORMERR })
      socket.send(reply, from.port, from.address)
      return
    }
    const name = questions![0]!.name.toLowerCase()
    const zone = name.split('.').slice(-2).join('.')
    const isRoot = address === ROOT
    const authorities = isRoot ? [ns(zone, `ns.${zone}`)] : []
    const additionals = isRoot ? [a(`ns.${zone}`, ADDRESS_OF[zone]!)] : []
    const answers = !isRoot && type === 'A' && name === zone ? [a(name, '192.0.2.1')] : []
    const flags = isRoot ? 0 : AUTHORITATIVE_ANSWER
    const sections = { questions: questions!, answers, authorities, additionals }
    socket.send(encode({ type: 'response', id: id!, flags, ...sections }), from.port, from.address)
  })
  socket.bind(port, address)
  await once(socket, 'listening')
  opened.defer(() => new Promise((resolve) => socket.close(() => resolve())))
  return socket.address().port
}

type Message = { rcode?: number; answers: Answer[] }

/** Answers a transfer with these messages, in pieces that are cut anywhere. */
async function serveTransfer(address: string, port: number, messages: Message[]): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', async (chunk) => {
      const { id, questions } = decode(chunk.subarray(2))
      const stream = messages.map(({ rcode = 0, answers }) => {
        const flags = rcode | AUTHORITATIVE_ANSWER
        const text = encode({ type: 'response', id: id!, flags, questions: questions!, answers })
        return Buffer.concat([Buffer.from([text.length >> 8, text.length & 255]), text])
      })
      const all = Buffer.concat(stream)
      for (let at = 0; at < all.length; at += 50) {
        socket.write(all.subarray(at, at + 50))
        await new Promise((resolve) => setImmediate(resolve))
      }
      socket.end()
    })
  })
  server.listen(port, address)
  await once(server, 'listening')
  opened.defer(() => new Promise((resolve) => server.close(() => resolve())))
}

const WHOLE = [
  a('odd-name.open.test', '192.0.2.7'),
  a('*.open.test', '192.0.2.8'),
  ns('sub.open.test', 'ns1.other.test'),
]

// biome-ignore format: a table
const ZONES: [zone: string, address: string, messages: Message[]][] = [
  ['open.test',    '127.0.0.64', [{ answers: [soa('open.test'), ns('open.test', 'ns.open.test'), WHOLE[0]!] }, { answers: [WHOLE[1]!] }, { answers: [WHOLE[2]!, soa('open.test')] }]],
  ['closed.test',  '127.0.0.65', [{ rcode: REFUSED, answers: [] }]],
  ['cut-off.test', '127.0.0.66', [{ answers: [soa('cut-off.test'), a('half.cut-off.test', '192.0.2.9')] }]],
  ['old.test',     '127.0.0.68', [{ rcode: REFUSED, answers: [] }]],
  ['bare.test',    '127.0.0.67', [{ answers: [a('bare.test', '192.0.2.9'), soa('bare.test')] }]],
]
const ADDRESS_OF = Object.fromEntries(ZONES.map(([zone, address]) => [zone, address]))

const port = await serveUdp(ROOT, 0)
for (const [, address, messages] of ZONES) {
  await serveUdp(address, port)
  await serveTransfer(address, port, messages)
}
const reach = { rootHints: [ROOT], dnsPort: () => port, mayConnect: () => true, pace: unpaced }
const { survey } = dnsViews(reach, () => performance.now())().surveyor

async function found(name: string): Promise<string[]> {
  const questions = [{ name, type: 'A' as const }]
  const wanted = { questions, furtherQuestions: () => [], except: [] }
  const { records } = await survey(name, wanted, AbortSignal.timeout(20_000))
  return records.map(({ name: owner, type, data }) => `${owner} ${type} ${data}`)
}

test('a zone that is given away is had whole, but for what its host is for', async () => {
  assert.deepEqual(await found('open.test'), [
    'odd-name.open.test A 192.0.2.7',
    '*.open.test A 192.0.2.8',
    'sub.open.test NS ns1.other.test.',
  ])
})

for (const [what, zone] of [
  ['is refused', 'closed.test'],
  ['ends too early', 'cut-off.test'],
  ['does not begin with the SOA', 'bare.test'],
] as const) {
  test(`where the transfer ${what}, the names are asked for`, async () => {
    assert.deepEqual(await found(zone), [`${zone} A 192.0.2.1`])
  })
}

test('a server that knows no EDNS is asked without', async () => {
  assert.deepEqual(await found('old.test'), ['old.test A 192.0.2.1'])
})

test('a name inside a zone is asked for: what a wildcard above gives it is no record of the zone', async () => {
  assert.deepEqual(await found('inside.open.test'), [])
})
