import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { decode, type Packet } from 'dns-packet'
import { parseTsigKey, signQuery } from '#dns/tsig.ts'
import { missing } from '../../../../test/needs.ts'
import { queryOf } from '../dig.ts'
import type { Listener } from '../listener.ts'
import { encodeZone } from '../store/encode.ts'
import { ZoneStore } from '../store/store.ts'
import { HandedOver } from './handed-over.ts'
import { COUNTERS, type FromThread, MAX_HANDED_OVER, type ReplyPart } from './protocol.ts'
import { DnsThreads, type SocketsChoice } from './threads.ts'
import type { TransfersOptions } from './transfers.ts'

const SKIP = missing('Linux on x64 or arm64', () => process.platform === 'linux')
const KEY = parseTsigKey(`key.example:hmac-sha256:${Buffer.alloc(32, 'k').toString('base64')}`)
const ORDINARY = queryOf('acme.test. TXT')
const AXFR = queryOf('acme.test. AXFR')
const SIGNED = signQuery(AXFR, KEY, 1_800_000_000).message
const SIGNED_ORDINARY = signQuery(ORDINARY, KEY, 1_800_000_000).message
const TERMS = { addresses: [], catalogApex: 'catalog.example.' }

type World = AsyncDisposable & { threads: DnsThreads; listener: Listener; errors: string[] }

async function start(
  sockets: SocketsChoice,
  answer: TransfersOptions['answer'],
  terms: TransfersOptions['terms'] = TERMS,
): Promise<World> {
  const store = new ZoneStore()
  const rrsets = [{ name: 'acme.test.', type: 'TXT' as const, ttl: 60, data: ['here'] }]
  const zone = { apex: 'acme.test.', nameservers: ['ns1.pool.test.'], serial: 1, rrsets }
  store.put(encodeZone(zone).blob)
  const errors: string[] = []
  const threads = await DnsThreads.start({
    store,
    sockets,
    defence: { rateLimit: 0, limitsLoopback: true, cookieKey: Buffer.from('key') },
    secondaries: { terms, answer },
    onAsked: () => {},
    onError: (error) => void errors.push(String(error)),
    onNote: () => {},
  })
  const listener = await threads.listen({ address: '127.0.0.1', port: 0 })
  return { threads, listener, errors, [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose]() }
}

/** A reply of so many octets with the id of the query. */
function messageFor(query: Uint8Array, octets = 40): Buffer {
  const message = Buffer.alloc(octets)
  message.set([query[0]!, query[1]!, 0x84, 0])
  return message
}

const framed = (message: Buffer): Buffer =>
  Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message])

async function dial({ port }: Listener): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Everything up to the end of the connection, cut into messages. */
async function overTcp(listener: Listener, ...queries: Buffer[]): Promise<Buffer[]> {
  const socket = await dial(listener)
  socket.end(Buffer.concat(queries.map(framed)))
  const octets = Buffer.concat(await socket.toArray().catch(() => []))
  const messages: Buffer[] = []
  for (let at = 0; at < octets.length; at += 2 + octets.readUInt16BE(at)) {
    messages.push(octets.subarray(at + 2, at + 2 + octets.readUInt16BE(at)))
  }
  return messages
}

/** Sends a query so many times and gives as many replies. */
async function overUdp({ port }: Listener, query: Buffer, times = 1): Promise<Buffer[]> {
  const socket = createSocket('udp4')
  const replies: Buffer[] = []
  const all = Promise.withResolvers<void>()
  socket.on('message', (reply) => {
    if (replies.push(reply) === times) all.resolve()
  })
  for (let i = 0; i < times; i++) socket.send(query, port, '127.0.0.1')
  await all.promise
  socket.close()
  return replies
}

const rcodeOf = (message: Buffer): number => message[3]! & 0x0f
const answersIn = (message: Buffer): number => (decode(message) as Packet).answers!.length

for (const sockets of ['batched', 'dgram'] as const) {
  const skip = (sockets === 'batched' ? SKIP : undefined) ?? false
  const check = (name: string, run: () => Promise<void>) =>
    test(`${sockets}: ${name}`, { skip }, run)

  check(
    'what is signed is handed over with its sender, and the reply is what was made',
    async () => {
      const asked: string[] = []
      await using world = await start(sockets, (query, transport, remote) => {
        asked.push(`${transport} ${remote} ${query.length}`)
        return [messageFor(query)]
      })
      const [reply] = await overUdp(world.listener, SIGNED)
      assert.deepEqual(reply, messageFor(SIGNED))
      assert.deepEqual(await overTcp(world.listener, SIGNED, SIGNED), [reply, reply])
      const { length } = SIGNED
      const tcp = `tcp 127.0.0.1 ${length}`
      assert.deepEqual(asked, [`udp 127.0.0.1 ${length}`, tcp, tcp])
      assert.equal(world.threads.counts.replies, 3)
    },
  )

  check('a question that does not concern secondaries after all is answered', async () => {
    await using world = await start(sockets, () => undefined)
    const [udp] = await overUdp(world.listener, SIGNED_ORDINARY)
    const [tcp] = await overTcp(world.listener, SIGNED_ORDINARY)
    for (const reply of [udp!, tcp!]) assert.equal(answersIn(reply), 1)
  })

  check('transfers that a stranger asks for unsigned are refused in the thread', async () => {
    const asked: string[] = []
    const listed = { ...TERMS, addresses: ['127.0.0.2', '2001:db8::1'] }
    const answer = (_: Uint8Array, transport: string) => void asked.push(transport)
    await using world = await start(sockets, answer, listed)
    for (const reply of await overUdp(world.listener, AXFR, 100)) assert.equal(rcodeOf(reply), 5)
    for (const reply of await overTcp(world.listener, AXFR, AXFR)) assert.equal(rcodeOf(reply), 5)
    assert.deepEqual(asked, [])
  })

  check(
    'from a listed address, transfers and the catalog are handed over, and no more',
    async () => {
      const asked: string[] = []
      const listed = { ...TERMS, addresses: ['127.0.0.1'] }
      const answer = (query: Uint8Array) => {
        const { name, type } = decode(Buffer.from(query)).questions![0]!
        asked.push(`${name} ${type}`)
        return [messageFor(query)]
      }
      await using world = await start(sockets, answer, listed)
      for (const question of ['acme.test. AXFR', 'a.CATALOG.example. PTR', 'xcatalog.example. A'])
        await overUdp(world.listener, queryOf(question))
      assert.equal(answersIn((await overUdp(world.listener, ORDINARY))[0]!), 1)
      assert.deepEqual(asked, ['acme.test AXFR', 'a.CATALOG.example PTR'])
    },
  )

  check('a main thread that is busy delays transfers, and nothing else', async () => {
    await using world = await start(sockets, (query) => [messageFor(query)])
    const progress = new Int32Array(new SharedArrayBuffer(8))
    const client = new Worker(CLIENT, {
      eval: true,
      workerData: { port: world.listener.port, progress, AXFR: SIGNED, ORDINARY },
    })
    const done = once(client, 'exit')
    while (Atomics.load(progress, 0) === 0) await new Promise(setImmediate)
    // From here on this thread does nothing, until the client has what it asked for.
    Atomics.store(progress, 0, 2)
    Atomics.notify(progress, 0)
    assert.notEqual(Atomics.wait(progress, 0, 2, 20_000), 'timed-out')
    assert.equal(Atomics.load(progress, 1), 0, 'no transfer was answered')
    await done
    assert.equal(Atomics.load(progress, 1), 2, 'both transfers are answered')
  })
}

/** Asks for transfers by UDP and TCP, and then ordinarily; counts in `progress` what it gets. */
const CLIENT = `
  const { workerData: { port, progress, AXFR, ORDINARY } } = require('node:worker_threads')
  const dgram = require('node:dgram')
  const net = require('node:net')
  const framed = (m) => Buffer.concat([Buffer.of(m.length >> 8, m.length & 0xff), m])
  const udp = (query, onAnswer) => {
    const socket = dgram.createSocket('udp4')
    socket.on('message', () => { onAnswer(); socket.close() })
    socket.send(query, port, '127.0.0.1')
  }
  const tcp = (query, onAnswer) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(framed(query)))
    socket.once('data', () => { onAnswer(); socket.destroy() })
  }
  Atomics.store(progress, 0, 1)
  while (Atomics.load(progress, 0) === 1) Atomics.wait(progress, 0, 1)
  let ordinary = 0
  const isTransfer = () => Atomics.add(progress, 1, 1)
  const isOrdinary = () => {
    if (++ordinary < 2) return
    Atomics.store(progress, 0, 3)
    Atomics.notify(progress, 0)
  }
  for (const ask of [udp, tcp]) ask(AXFR, isTransfer)
  for (const ask of [udp, tcp]) ask(ORDINARY, isOrdinary)
`

/** Messages without end, and a promise of when they are given up. */
function endless() {
  const ended = Promise.withResolvers<void>()
  let made = 0
  function* messages(query: Uint8Array) {
    try {
      for (;;) {
        made++
        yield messageFor(query, 16_384)
      }
    } finally {
      ended.resolve()
    }
  }
  return { answer: (query: Uint8Array) => messages(query), ended: ended.promise, made: () => made }
}

test('messages are made as they are taken: a client that does not read stops them, and no other', async () => {
  const { answer, ended, made } = endless()
  await using world = await start('dgram', answer)
  const halted = await dial(world.listener)
  halted.pause()
  halted.write(framed(SIGNED))
  let before = -1
  // Until the kernel takes no more for it.
  while (before !== made() || made() === 0) {
    before = made()
    for (let i = 0; i < 50; i++) await overTcp(world.listener, ORDINARY)
  }
  const [reply] = await overTcp(world.listener, ORDINARY)
  assert.equal(answersIn(reply!), 1)
  halted.destroy()
  await ended
})

test('a client that goes ends its transfer', async () => {
  const { answer, ended } = endless()
  await using world = await start('dgram', answer)
  const socket = await dial(world.listener)
  socket.write(framed(SIGNED))
  await once(socket, 'data')
  socket.destroy()
  await ended
  assert.deepEqual(world.errors, [])
})

test('a thread that dies ends its transfers', async () => {
  const { answer, ended } = endless()
  await using world = await start('dgram', answer)
  const socket = await dial(world.listener)
  socket.write(framed(SIGNED))
  await once(socket, 'data')
  await world.threads.endOne('tcp')
  await ended
})

test('a reply that fails is SERVFAIL, and one that fails half-way ends the connection', async () => {
  const begun = signQuery(queryOf('begun.acme.test. AXFR'), KEY, 1_800_000_000).message
  await using world = await start('dgram', function* (query) {
    if (query.length === begun.length) yield messageFor(query)
    throw new Error('no more')
  })
  const replies = await overTcp(world.listener, SIGNED, ORDINARY)
  assert.deepEqual(replies.map(rcodeOf), [2, 0])
  assert.deepEqual((await overTcp(world.listener, begun, ORDINARY)).map(rcodeOf), [0])
  assert.deepEqual(world.errors, ['Error: no more', 'Error: no more'])
})

function handing() {
  const posted: FromThread[] = []
  const counters = new Int32Array(new SharedArrayBuffer(4 * COUNTERS))
  const handedOver = new HandedOver({ transfers: TERMS, counters }, (message) => {
    posted.push(message)
  })
  const received: ReplyPart[] = []
  const begin = () =>
    handedOver.begin(new Uint8Array(SIGNED), 'tcp', '192.0.2.1', (part) => received.push(part))
  return { handedOver, posted, received, begin }
}

test('a step that the main thread does not take in 5 s has failed, and what comes later is nothing', () => {
  const { handedOver, posted, received, begin } = handing()
  const id = begin()!
  handedOver.expire(performance.now() + 4000)
  assert.deepEqual(received, [])
  handedOver.expire(performance.now() + 5001)
  handedOver.receive(id, new Uint8Array(1))
  handedOver.end(id)
  assert.deepEqual(received, ['failed'])
  assert.deepEqual(
    posted.map(({ is }) => is),
    ['transfer', 'end'],
  )
  assert.equal(handedOver.size, 0)
})

test('what waits for its client has no deadline here', () => {
  const { handedOver, received, begin } = handing()
  const id = begin()!
  handedOver.receive(id, new Uint8Array(1))
  handedOver.expire(performance.now() + 3_600_000)
  assert.equal(received.length, 1)
  assert.equal(handedOver.size, 1)
})

test('so many are handed over at once, and one more when one has ended', () => {
  const { handedOver, begin } = handing()
  const ids = Array.from({ length: MAX_HANDED_OVER }, begin)
  assert.equal(begin(), undefined)
  handedOver.receive(ids[0]!, 'end')
  assert.notEqual(begin(), undefined)
  assert.equal(begin(), undefined)
})
