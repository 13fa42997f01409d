import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { decode } from 'dns-packet'
import { portNobodyIsGiven } from '../../../../test/ports.ts'
import { queryOf } from '../dig.ts'
import { encodeZone, lowercaseWire } from '../store/encode.ts'
import { ZoneStore } from '../store/store.ts'
import { DnsThreads, type SocketsChoice, type ThreadsOptions } from './threads.ts'

const SKIP = process.platform === 'linux' ? undefined : 'packets are batched on Linux only'
const KINDS: readonly SocketsChoice[] = ['batched', 'dgram']
const skipFor = (sockets: SocketsChoice) => (sockets === 'batched' ? SKIP : undefined) ?? false
const QUERY = queryOf('acme.test. TXT')
const HERE = { address: '127.0.0.1', port: 0 }

function zoneOf(apex: string, text = 'here', texts = 1): Uint8Array {
  const data = Array.from({ length: texts }, (_, i) => `${text}${i || ''}`)
  return encodeZone({
    apex,
    nameservers: ['ns1.pool.test.'],
    serial: 1,
    rrsets: [{ name: apex, type: 'TXT', ttl: 60, data }],
  }).blob
}

function storeOf(...blobs: Uint8Array[]): ZoneStore {
  const store = new ZoneStore()
  for (const blob of [zoneOf('acme.test.'), ...blobs]) store.put(blob)
  return store
}

function start(sockets: SocketsChoice, options: Partial<ThreadsOptions> = {}): Promise<DnsThreads> {
  return DnsThreads.start({
    store: storeOf(),
    sockets,
    defence: { rateLimit: 0, limitsLoopback: true, cookieKey: Buffer.from('key') },
    onAsked: () => {},
    onError: (error) => assert.fail(String(error)),
    onNote: () => {},
    ...options,
  })
}

let ids = 5000

/** A UDP client whose replies are taken in order of arrival. */
function client(to: { address: string; port: number }) {
  const socket = createSocket(to.address.includes(':') ? 'udp6' : 'udp4')
  const replies: Buffer[] = []
  let heard = Promise.withResolvers<void>()
  socket.on('message', (reply) => {
    replies.push(reply)
    heard.resolve()
    heard = Promise.withResolvers()
  })
  const send = (packet: Buffer) => socket.send(packet, to.port, to.address)
  return {
    replies,
    send,
    /** Sends the query until the reply to it has come, and gives that. */
    async ask(query: Buffer, tries = 50): Promise<Buffer> {
      const packet = withId(query, ++ids)
      const isReply = (reply: Buffer) => reply.readUInt16BE(0) === packet.readUInt16BE(0)
      for (let i = 0; i < tries; i++) {
        send(packet)
        const resend = delay(100, 'resend' as const)
        let woken: 'resend' | undefined
        while (woken === undefined) {
          woken = (await Promise.race([heard.promise, resend])) || undefined
          const reply = replies.find(isReply)
          if (reply) return reply
        }
      }
      throw new Error('no reply')
    },
    /** Resolves when so many replies have come in all. */
    async until(count: number): Promise<void> {
      while (replies.length < count) await heard.promise
    },
    [Symbol.dispose]: () => void socket.close(),
  }
}

async function overTcp(port: number, ...queries: Buffer[]): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end(Buffer.concat(queries.flatMap((q) => [Buffer.of(q.length >> 8, q.length), q])))
  return Buffer.concat(await socket.toArray())
}

for (const sockets of KINDS) {
  const check = (name: string, run: () => Promise<void>) =>
    test(`${sockets}: ${name}`, { skip: skipFor(sockets) }, run)

  check('UDP and TCP are answered on one port', async () => {
    await using threads = await start(sockets)
    assert.equal(threads.sockets, sockets)
    const listener = await threads.listen(HERE)
    using asker = client(listener)
    assert.equal(decode(await asker.ask(QUERY)).answers!.length, 1)
    const reply = await overTcp(listener.port, QUERY, QUERY)
    assert.equal(reply.length, 2 * (2 + reply.readUInt16BE(0)))
    assert.ok(threads.counts.replies >= 3)
  })

  check('a burst of 2,000 queries is answered whole, each to who asked it', async () => {
    await using threads = await start(sockets)
    const listener = await threads.listen(HERE)
    const clients = Array.from({ length: 20 }, () => client(listener))
    await Promise.all(
      clients.map(async (asker, number) => {
        const wanted = Array.from({ length: 100 }, (_, i) => number * 100 + i)
        const idsOf = () => new Set(asker.replies.map((reply) => reply.readUInt16BE(0)))
        // A kernel that keeps less of a burst loses some; they are asked again.
        while (idsOf().size < wanted.length) {
          const known = idsOf()
          for (const id of wanted.filter((each) => !known.has(each))) asker.send(withId(QUERY, id))
          await Promise.race([asker.until(asker.replies.length + 100 - known.size), delay(500)])
        }
        assert.deepEqual(
          [...idsOf()].toSorted((x, y) => x - y),
          wanted,
        )
        asker[Symbol.dispose]()
      }),
    )
  })

  check('what is no query gets FORMERR or silence, and the thread goes on', async () => {
    await using threads = await start(sockets)
    const listener = await threads.listen(HERE)
    using asker = client(listener)
    const garbage = [0, 1, 11, 500, 1535, 1536, 1537, 9000, 60_000]
    for (const length of garbage) {
      asker.send(Buffer.alloc(length, 0xff))
      asker.send(Buffer.alloc(length, 0x3f))
    }
    await asker.ask(queryOf('acme.test. SOA'))
    for (const reply of asker.replies) assert.ok(reply.length <= 512)
    assert.ok(asker.replies.length > 1)
  })

  check('several addresses are answered, each from the address that was asked', async () => {
    await using threads = await start(sockets)
    for (const address of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) {
      const listener = await threads.listen({ address, port: 0 })
      const socket = createSocket('udp4')
      socket.connect(listener.port, address)
      await once(socket, 'connect')
      socket.send(QUERY)
      // A connected socket hears nobody but the address it asked.
      const [reply] = await once(socket, 'message')
      assert.equal(decode(reply).answers!.length, 1)
      socket.close()
    }
  })

  check('IPv6 is answered as well', async () => {
    await using threads = await start(sockets)
    await threads.listen(HERE)
    const listener = await threads.listen({ address: '::1', port: 0 }).catch(() => undefined)
    if (listener === undefined) return // This machine has no IPv6.
    using asker = client(listener)
    assert.equal(decode(await asker.ask(QUERY)).answers!.length, 1)
  })

  check('a port that is taken is refused, and so is an address that is not ours', async () => {
    await using threads = await start(sockets)
    const port = await portNobodyIsGiven()
    const taken = createSocket('udp4').bind(port, '127.0.0.1')
    await once(taken, 'listening')
    await assert.rejects(threads.listen({ address: '127.0.0.1', port }), {
      message: /^Cannot listen for DNS at 127\.0\.0\.1:\d+: .*EADDRINUSE/,
    })
    await assert.rejects(threads.listen({ address: '192.0.2.1', port: 0 }), /EADDRNOTAVAIL/)
    taken.close()
    const listener = await threads.listen({ address: '127.0.0.1', port })
    await listener[Symbol.asyncDispose]()
    const again = await threads.listen({ address: '127.0.0.1', port })
    using asker = client(again)
    await asker.ask(QUERY)
  })

  check('zones that come, change and go while it answers: old or new, never half', async () => {
    const store = storeOf(zoneOf('busy.test.', 'a'.repeat(200), 4))
    await using threads = await start(sockets, { store })
    const listener = await threads.listen(HERE)
    using asker = client(listener)
    const query = queryOf('busy.test. TXT', { edns: {} })
    for (let i = 0; i < 300; i++) {
      const letter = 'abcdefgh'[i % 8]!
      store.put(zoneOf('busy.test.', letter.repeat(1 + ((i * 37) % 200)), 1 + (i % 5)))
      for (let k = 0; k < 20; k++) store.put(zoneOf(`other${k}.test.`, 'z'.repeat((i * 13) % 200)))
      asker.send(query)
      if (i % 20 === 0) await asker.ask(QUERY)
    }
    await asker.ask(QUERY)
    assert.ok(asker.replies.length > 50)
    for (const reply of asker.replies) {
      const texts = (decode(reply).answers ?? []).map((each) =>
        String((each as { data: unknown }).data),
      )
      assert.ok(texts.length > 0)
      assert.equal(new Set(texts.map((text) => text.replace(/\d+$/, ''))).size, 1, String(texts))
    }
  })

  check('10,000 zones that come while it listens are served, in slabs it had not', async () => {
    const store = storeOf()
    await using threads = await start(sockets, { store })
    const listener = await threads.listen(HERE)
    for (let i = 0; i < 10_000; i++) store.put(zoneOf(`z${i}.test.`, 'x'.repeat(200)))
    store.delete(lowercaseWire('acme.test.'))
    using asker = client(listener)
    while (((await asker.ask(QUERY))[3]! & 0x0f) !== 5);
    for (const i of [0, 5000, 9999]) {
      assert.equal(decode(await asker.ask(queryOf(`z${i}.test. TXT`))).answers!.length, 1)
    }
    assert.ok(store.shared.slabs.length > 1)
  })

  check('a thread that dies is started anew and listens where it did', async () => {
    const errors: string[] = []
    await using threads = await start(sockets, { onError: (error) => errors.push(String(error)) })
    const listener = await threads.listen(HERE)
    using asker = client(listener)
    await asker.ask(QUERY)
    await threads.endOne('udp')
    await threads.endOne('tcp')
    await asker.ask(QUERY)
    while ((await overTcp(listener.port, QUERY).catch(() => Buffer.of())).length === 0);
    assert.equal(errors.length, 2)
  })

  check('a prefix that asks too often is limited, and shown the way to TCP', async () => {
    const defence = { rateLimit: 10, limitsLoopback: true, cookieKey: Buffer.from('key') }
    await using threads = await start(sockets, { defence, store: storeOf(zoneOf('other.test.')) })
    const listener = await threads.listen(HERE)
    using asker = client(listener)
    for (let i = 0; threads.counts.queries < 200; i++) {
      asker.send(queryOf(`random${i}.acme.test. A`))
      if (i % 50 === 49) await delay(10)
    }
    assert.equal(decode(await asker.ask(queryOf('other.test. TXT'))).answers!.length, 1)
    const nxdomains = asker.replies.filter((reply) => (reply[3]! & 0x0f) === 3)
    assert.ok(nxdomains.length < 100, `${nxdomains.length} of 200`)
    assert.ok(asker.replies.some((reply) => (reply[2]! & 0x02) !== 0))
    assert.ok(threads.counts.limited >= 100)
    assert.ok((await overTcp(listener.port, queryOf('random.acme.test. A'))).length > 40)
  })

  check('who shows a cookie of ours is not limited', async () => {
    const defence = { rateLimit: 1, limitsLoopback: true, cookieKey: Buffer.from('key') }
    await using threads = await start(sockets, { defence })
    const listener = await threads.listen(HERE)
    using asker = client(listener)
    const first = await asker.ask(withCookie(Buffer.alloc(8, 1)))
    const cookie = first.subarray(-24)
    assert.deepEqual(cookie.subarray(0, 8), Buffer.alloc(8, 1))
    asker.replies.length = 0
    for (let i = 0; i < 100; i++) asker.send(withCookie(cookie))
    await asker.until(100)
    assert.equal(threads.counts.limited, 0)
  })
}

test('batched: several threads share one port', { skip: skipFor('batched') }, async () => {
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  await using threads = await start('batched', { udpThreads: 3, onError })
  const listener = await threads.listen(HERE)
  // The kernel spreads askers over the threads by their ports.
  for (let i = 0; i < 40; i++) {
    using asker = client(listener)
    assert.equal(decode(await asker.ask(QUERY)).answers!.length, 1)
  }
  await threads.endOne('udp')
  for (let i = 0; i < 40; i++) {
    using asker = client(listener)
    await asker.ask(QUERY)
  }
  assert.equal(errors.length, 1, 'one thread was ended, and started anew')
})

test('auto: where packets cannot be batched, they are read one by one', async () => {
  const notes: string[] = []
  await using threads = await start('auto', { onNote: (note) => notes.push(note) })
  assert.equal(threads.sockets, SKIP === undefined ? 'batched' : 'dgram')
})

function withId(query: Buffer, id: number): Buffer {
  const packet = Buffer.from(query)
  packet.writeUInt16BE(id)
  return packet
}

/** The query for the zone's TXT with an EDNS cookie. */
function withCookie(cookie: Buffer): Buffer {
  const query = queryOf('acme.test. TXT', { edns: {} })
  query.writeUInt16BE(4 + cookie.length, query.length - 2)
  return Buffer.concat([query, Buffer.of(0, 10, 0, cookie.length), cookie])
}
