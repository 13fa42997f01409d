import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { mock, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { decode, type Packet } from 'dns-packet'
import { answerQuery } from './answer.ts'
import { queryOf, zonesOf } from './dig.ts'
import { listenDns } from './listen.ts'
import type { Answer, Listener } from './listener.ts'

const ZONES = zonesOf({
  apex: 'acme.test.',
  nameservers: ['ada.pool.test.'],
  serial: 1,
  rrsets: [
    { name: 'acme.test.', type: 'A', ttl: 60, data: ['192.0.2.1'] },
    { name: 'big.acme.test.', type: 'TXT', ttl: 60, data: ['x'.repeat(60_000)] },
  ],
})

const answer: Answer = (query, transport) => answerQuery(query, ZONES, transport)?.reply

function listen(options: Partial<Parameters<typeof listenDns>[0]> = {}): Promise<Listener> {
  const onError = (error: unknown) => assert.fail(String(error))
  return listenDns({ address: '127.0.0.1', port: 0, answer, onError, ...options })
}

/** Sends packets from one UDP socket and waits for so many replies. */
async function overUdp(server: Listener, packets: Buffer[], replies = 1): Promise<Buffer[]> {
  const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4')
  try {
    const received: Buffer[] = []
    const done = Promise.withResolvers<void>()
    socket.on('message', (reply) => {
      if (received.push(reply) === replies) done.resolve()
    })
    for (const packet of packets) socket.send(packet, server.port, server.address)
    await done.promise
    return received
  } finally {
    socket.close()
  }
}

async function dial(server: Listener): Promise<Socket> {
  const socket = connect({ port: server.port, host: server.address, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

function framed(...messages: Buffer[]): Buffer {
  return Buffer.concat(messages.flatMap((m) => [Buffer.of(m.length >> 8, m.length & 0xff), m]))
}

/** Everything up to the end of the connection, cut into messages. */
async function messagesOf(socket: Socket): Promise<Packet[]> {
  const octets = Buffer.concat(await socket.toArray())
  const messages: Packet[] = []
  for (let at = 0; at < octets.length; ) {
    const end = at + 2 + octets.readUInt16BE(at)
    messages.push(decode(octets.subarray(at + 2, end)))
    at = end
  }
  return messages
}

/** Lets what is on its way through the loopback arrive. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done))
}

const QUERY = queryOf('acme.test. A')

test('udp: a query is answered', async () => {
  await using server = await listen()
  const [reply] = await overUdp(server, [QUERY])
  assert.equal(decode(reply!).answers!.length, 1)
})

test('udp: garbage gets FORMERR or silence, and the server goes on', async () => {
  await using server = await listen()
  const garbage = [
    Buffer.alloc(0),
    Buffer.alloc(11),
    Buffer.alloc(500, 0xff),
    Buffer.alloc(500, 0x3f),
  ]
  const replies = await overUdp(server, [...garbage, QUERY], 2)
  assert.deepEqual(replies.map((reply) => reply.readUInt8(3) & 0x0f).toSorted(), [0, 4])
})

test('tcp: a query is answered, however long the answer', async () => {
  await using server = await listen()
  const socket = await dial(server)
  socket.end(framed(queryOf('big.acme.test. TXT')))
  const [reply] = await messagesOf(socket)
  assert.equal(reply!.answers!.length, 1)
})

test('tcp: pipelined queries are answered each and in order', async () => {
  await using server = await listen({
    answer: async (query, transport, remote) => {
      assert.equal(remote, '127.0.0.1')
      await sleep(query.length % 7)
      return answer(query, transport, remote)
    },
  })
  const names = Array.from({ length: 50 }, (_, i) => `${'x'.repeat(i + 1)}.acme.test`)
  const socket = await dial(server)
  socket.end(framed(...names.map((name) => queryOf(name))))
  const replies = await messagesOf(socket)
  assert.deepEqual(
    replies.map((reply) => reply.questions![0]!.name),
    names,
  )
})

test('tcp: a query may arrive octet by octet', async () => {
  await using server = await listen()
  const socket = await dial(server)
  socket.setNoDelay(true)
  for (const octet of framed(QUERY)) {
    socket.write(Buffer.of(octet))
    await sleep(1)
  }
  socket.end()
  assert.equal((await messagesOf(socket)).length, 1)
})

test('tcp: half a message gets no reply, nor does an empty one', async () => {
  await using server = await listen()
  const half = await dial(server)
  half.end(framed(QUERY).subarray(0, 20))
  assert.deepEqual(await messagesOf(half), [])
  const empty = await dial(server)
  empty.end(framed(Buffer.alloc(0), QUERY))
  assert.equal((await messagesOf(empty)).length, 1)
})

test('tcp: a message over the bound closes the connection', async () => {
  await using server = await listen()
  const socket = await dial(server)
  socket.write(framed(QUERY))
  socket.write(Buffer.from([0xff, 0xff, 0]))
  assert.equal((await messagesOf(socket)).length, 1)
})

test('tcp: a client is closed after ten seconds without a whole query, drip as it may', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  await using server = await listen()
  const socket = await dial(server)
  const onEnd = t.mock.fn()
  socket.resume().on('end', onEnd)
  await turns()
  t.mock.timers.tick(9_000)
  socket.write(framed(QUERY).subarray(0, 20))
  await turns()
  t.mock.timers.tick(999)
  await turns()
  assert.equal(onEnd.mock.callCount(), 0)
  t.mock.timers.tick(1)
  await once(socket, 'end')
  socket.destroy()
})

test('tcp: a client that does not read is not read from', async () => {
  let asked = 0
  await using server = await listen({
    answer: (...query) => {
      asked++
      return answer(...query)
    },
  })
  const socket = await dial(server)
  socket.pause()
  const query = framed(queryOf('big.acme.test. TXT'))
  for (let i = 0; i < 1000; i++) socket.write(query)
  await sleep(200)
  assert.ok(asked < 500, `${asked} replies of 60 kB were made for a client that reads none`)
  socket.destroy()
})

test('tcp: whoever holds all 200 connections turns nobody away, and loses those idle longest', async () => {
  await using server = await listen()
  const closed: number[] = []
  const sockets: Socket[] = []
  for (let i = 0; i < 200; i++) {
    const socket = await dial(server)
    sockets.push(socket.resume().on('close', () => closed.push(i)))
    socket.on('end', () => socket.end())
  }
  // The first has asked since, so it is not the one that has been idle longest.
  sockets[0]!.write(framed(QUERY))
  await once(sockets[0]!, 'data')
  for (let i = 0; i < 3; i++) {
    const socket = await dial(server)
    socket.end(framed(QUERY))
    assert.equal((await messagesOf(socket)).length, 1)
  }
  while (closed.length === 0) await turns()
  assert.equal(closed[0], 1)
  assert.ok(!closed.includes(0))
  for (const each of sockets) each.destroy()
})

test('tcp: a client that resets the connection harms nobody', async () => {
  await using server = await listen()
  const rude = await dial(server)
  rude.write(framed(QUERY, QUERY))
  rude.resetAndDestroy()
  const socket = await dial(server)
  socket.end(framed(QUERY))
  assert.equal((await messagesOf(socket)).length, 1)
})

test('an error in one query is told and ends nothing', async () => {
  const onError = mock.fn()
  const fails = queryOf('fails.acme.test. A')
  await using server = await listen({
    onError,
    answer: (query, transport, remote) => {
      if (fails.equals(query)) throw new Error('no')
      return answer(query, transport, remote)
    },
  })
  await overUdp(server, [fails, QUERY])
  const socket = await dial(server)
  socket.end(framed(fails, QUERY))
  assert.equal((await messagesOf(socket)).length, 1)
  assert.equal(onError.mock.callCount(), 2)
})

test('ipv6: the same on ::1', async (t) => {
  const server = await listen({ address: '::1' }).catch(() => undefined)
  if (server === undefined) return t.skip('this machine has no IPv6')
  await using _ = server
  const [reply] = await overUdp(server, [QUERY])
  assert.equal(decode(reply!).answers!.length, 1)
})

test('port: one that is taken is refused, and neither half stays open', async () => {
  await using udp = createSocket('udp4').bind(0, '127.0.0.1')
  await once(udp, 'listening')
  const { port } = udp.address()
  await assert.rejects(listen({ port }), {
    message: /^Cannot listen for DNS at 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  })
  const tcp = connect(port, '127.0.0.1')
  await assert.rejects(once(tcp, 'connect'), { code: 'ECONNREFUSED' })
})

test('port: an address that is not ours is refused', async () => {
  await assert.rejects(listen({ address: '192.0.2.1' }), /Cannot listen for DNS at 192\.0\.2\.1:0/)
})

test('dispose: open connections are closed at once and the port is free again', async () => {
  const server = await listen()
  const socket = await dial(server)
  const closed = once(socket.resume().end(), 'close')
  await server[Symbol.asyncDispose]()
  await closed
  await using again = await listen({ port: server.port })
  assert.equal(again.port, server.port)
})

test('dispose: an answer that is ready too late is dropped', async () => {
  const late = Promise.withResolvers<Buffer>()
  const asked = Promise.withResolvers<void>()
  const server = await listen({
    answer: () => {
      asked.resolve()
      return late.promise
    },
  })
  const udp = createSocket('udp4')
  udp.send(QUERY, server.port, server.address)
  await asked.promise
  await server[Symbol.asyncDispose]()
  late.resolve(QUERY)
  await sleep(5)
  udp.close()
})
