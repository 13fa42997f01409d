import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, test } from 'node:test'
import { days } from '../../clock.ts'
import { deliveryPass, type Queued } from './queue.ts'
import type { AttemptResult } from './transfer.ts'

/** Takes connections and never says a word. */
const tarpit = createServer()
await once(tarpit.listen(0, '127.0.0.1'), 'listening')
after(() => tarpit.close())

const NOW = new Date('2026-11-23T10:00:00Z')
const row = { id: 'a row', epoch: '1', wake: '0', failures: 2 }

const queuedAt = (createdAt: Date): Queued => ({
  envelopeSender: 'kim@acme.example',
  recipient: 'ann@other.example',
  raw: Buffer.from('Subject: x\r\n\r\nbody\r\n'),
  createdAt,
  sending: 'allowed',
  options: {
    resolver: { resolve: () => assert.fail('a smarthost needs no look-up') },
    mailHost: 'mx.product.example',
    smtpPort: () => assert.fail('a smarthost has its own port'),
    mayConnect: () => true,
    sourceAddresses: [],
    smarthost: { host: '127.0.0.1', ...port(), secure: false, credentials: undefined },
  },
})

const port = () => ({ port: (tarpit.address() as AddressInfo).port })

async function pass(queued: Queued, limitMs = 50, { signal } = new AbortController()) {
  const noted: AttemptResult[] = []
  const book = {
    load: async () => queued,
    note: async (_: unknown, result: AttemptResult) => void noted.push(result),
  }
  const outcome = await deliveryPass(row, book, { now: () => NOW, limitMs }, signal)
  return { outcome, noted }
}

test('an attempt that takes too long is a deferral, and the next one is further away', async () => {
  const { outcome, noted } = await pass(queuedAt(NOW))
  assert.deepEqual(noted, [{ is: 'deferred', reply: '4.4.2 the attempt took too long' }])
  assert.deepEqual(outcome, { afterMs: 4 * 60_000, failures: 3 })
})

test('who has kept us waiting for four days is given up', async () => {
  const { noted } = await pass(queuedAt(new Date(NOW.getTime() - days(4))))
  assert.equal(noted[0]?.is, 'failed')
  assert.match(noted[0].reply, /^4\.4\.7 given up: 4\.4\.2/)
})

test('an attempt that a stop ends is none: nothing is noted', async () => {
  const stop = new AbortController()
  tarpit.once('connection', () => stop.abort())
  await assert.rejects(pass(queuedAt(NOW), 60_000, stop), { name: 'AbortError' })
})
