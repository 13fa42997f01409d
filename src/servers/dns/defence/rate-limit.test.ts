import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kind } from '../responder.ts'
import { RateLimit, VERDICT } from './rate-limit.ts'
import { Remote } from './remote.ts'

const SEED = { start: 1, multiplier: 0x01000193 }
const prefix = (address: string): number => {
  const remote = new Remote()
  remote.setText(address)
  return remote.prefixHash(SEED)
}

/** How many of so many replies at one moment are sent, truncated and dropped. */
function count(
  limit: RateLimit,
  from: string,
  kind: Kind,
  name: number,
  nowMs: number,
  of: number,
) {
  const counts = [0, 0, 0]
  for (let i = 0; i < of; i++) counts[limit.decide(prefix(from), kind, name, nowMs)]!++
  return counts
}

test('a burst of two seconds is sent, then every other reply is truncated and the rest dropped', () => {
  const limit = new RateLimit({ perSecond: 200, threads: 1 })
  assert.deepEqual(count(limit, '192.0.2.1', 'answer', 7, 0, 1000), [400, 300, 300])
})

test('a second later there is room for as many as a second holds', () => {
  const limit = new RateLimit({ perSecond: 200, threads: 1 })
  count(limit, '192.0.2.1', 'answer', 7, 0, 1000)
  assert.equal(count(limit, '192.0.2.1', 'answer', 7, 1000, 1000)[VERDICT.send], 200)
  assert.equal(count(limit, '192.0.2.1', 'answer', 7, 61_000, 1000)[VERDICT.send], 400)
})

test('a prefix is limited as one, and others are not', () => {
  const limit = new RateLimit({ perSecond: 10, threads: 1 })
  count(limit, '192.0.2.1', 'answer', 7, 0, 100)
  count(limit, '2001:db8:0:1200::1', 'answer', 7, 0, 100)
  assert.equal(count(limit, '192.0.2.255', 'answer', 7, 0, 1)[VERDICT.send], 0)
  assert.equal(count(limit, '2001:db8:0:12ff::2', 'answer', 7, 0, 1)[VERDICT.send], 0)
  assert.equal(count(limit, '192.0.3.1', 'answer', 7, 0, 1)[VERDICT.send], 1)
  assert.equal(count(limit, '2001:db8:0:1300::1', 'answer', 7, 0, 1)[VERDICT.send], 1)
})

test('names and kinds are limited apart, but absences of a zone together', () => {
  const limit = new RateLimit({ perSecond: 10, threads: 1 })
  count(limit, '192.0.2.1', 'nxdomain', 7, 0, 100)
  assert.equal(count(limit, '192.0.2.1', 'nxdomain', 8, 0, 1)[VERDICT.send], 1)
  assert.equal(count(limit, '192.0.2.1', 'answer', 7, 0, 1)[VERDICT.send], 1)
  assert.equal(count(limit, '192.0.2.1', 'nodata', 7, 0, 1)[VERDICT.send], 0)
})

test('errors have a quarter of the room', () => {
  const limit = new RateLimit({ perSecond: 200, threads: 1 })
  assert.equal(count(limit, '192.0.2.1', 'error', 0, 0, 1000)[VERDICT.send], 100)
})

test('threads share the limit, and 0 is none', () => {
  const half = new RateLimit({ perSecond: 200, threads: 2 })
  assert.equal(count(half, '192.0.2.1', 'answer', 7, 0, 1000)[VERDICT.send], 200)
  const none = new RateLimit({ perSecond: 0, threads: 1 })
  assert.deepEqual(count(none, '192.0.2.1', 'error', 7, 0, 1000), [1000, 0, 0])
})

test('remote: addresses are read as they are written', () => {
  for (const [written, octets] of [
    ['192.0.2.77', 'c000024d'],
    ['::', '0'.repeat(32)],
    ['2001:db8::1:20', '20010db8000000000000000000010020'],
    ['fe80::1%eth0', 'fe800000000000000000000000000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ] as const) {
    const remote = new Remote()
    remote.setText(written)
    assert.equal(Buffer.from(remote.octets.subarray(0, remote.length)).toString('hex'), octets)
  }
})

test('remote: loopback is what cannot come from outside', () => {
  for (const [written, isLoopback] of [
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['128.0.0.1', false],
    ['::1', true],
    ['::2', false],
    ['7f00::1', false],
  ] as const) {
    const remote = new Remote()
    remote.setText(written)
    assert.equal(remote.isLoopback, isLoopback, written)
  }
})
