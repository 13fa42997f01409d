import assert from 'node:assert/strict'
import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { shapeOf } from '#dns/message-shape.ts'
import { checkQuery, parseTsigKey } from '#dns/tsig.ts'
import type { Endpoint } from '#names/ip.ts'
import { until } from '../../../../test/client.ts'
import { Notifier } from './notify.ts'

const key = (letter: string) =>
  parseTsigKey(`transfer.example:hmac-sha256:${Buffer.alloc(32, letter).toString('base64')}`)
const KEY = key('k')
const NOW_S = 1_800_000_000
const [NOERROR, REFUSED, NOTAUTH] = [0, 5, 9]

/** What a secondary does with the nth message that it gets. */
type Conduct = (nth: number) => { rcode?: number; forged?: boolean } | undefined

/** A secondary that notes what it is told. */
async function secondary(opened: AsyncDisposableStack, conduct: Conduct) {
  const socket = createSocket('udp4')
  const told: string[] = []
  socket.on('message', (message: Buffer, from: RemoteInfo) => {
    const check = checkQuery(message, [KEY], NOW_S)
    told.push(`${shapeOf(message)?.question?.name} ${check.is}`)
    const reply = conduct(told.length)
    if (reply === undefined || check.is !== 'verified') return
    const said = Buffer.from(check.message)
    said.writeUInt16BE(said.readUInt16BE(2) | 0x8000 | (reply.rcode ?? NOERROR), 2)
    socket.send(reply.forged ? said : check.signer.sign(said, NOW_S), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  opened.defer(() => new Promise((done) => socket.close(() => done())))
  return { told, at: { address: '127.0.0.1', port: socket.address().port } }
}

/** Of those that answer, even a busy machine's answer is waited for. */
async function notifier(
  opened: AsyncDisposableStack,
  secondaries: readonly Endpoint[],
  answerMs = 5000,
) {
  const troubles: string[] = []
  const opening = Notifier.open({
    secondaries,
    key: KEY,
    from: ['127.0.0.1'],
    nowS: () => NOW_S,
    patience: { answerMs, retryAfterMs: [100, 300] },
    onTrouble: (sentence) => void troubles.push(sentence),
    onError: (error) => void troubles.push(String(error)),
  })
  return { notify: opened.use(await opening), troubles }
}

const settle = <T>(look: () => T, isWanted: (seen: T) => boolean) =>
  until(async () => look(), isWanted, 30_000)
const isLong = (least: number) => (list: readonly unknown[]) => list.length >= least

test('a change is told once, signed, however often it came within 100 ms', async () => {
  await using opened = new AsyncDisposableStack()
  const one = await secondary(opened, () => ({}))
  const { notify, troubles } = await notifier(opened, [one.at])
  for (let time = 0; time < 5; time++) notify.changed('acme.example.')
  notify.changed('other.example.')
  await settle(() => one.told, isLong(2))
  await delay(300)
  assert.deepEqual(one.told, ['acme.example. verified', 'other.example. verified'])
  assert.deepEqual(troubles, [])
})

test('it is told three times to one that is silent, and then no more, and the operator once', async () => {
  await using opened = new AsyncDisposableStack()
  const one = await secondary(opened, () => undefined)
  const { notify, troubles } = await notifier(opened, [one.at], 200)
  notify.changed('acme.example.')
  await settle(() => troubles, isLong(1))
  assert.equal(one.told.length, 3)
  assert.match(troubles[0]!, /does not reach the secondary 127\.0\.0\.1:\d+: it does not answer/)
})

test('the operator is told of the first refusal, and of no more', async () => {
  await using opened = new AsyncDisposableStack()
  const one = await secondary(opened, () => ({ rcode: NOTAUTH }))
  const { notify, troubles } = await notifier(opened, [one.at])
  for (const name of ['a', 'b', 'c']) notify.changed(`${name}.example.`)
  await settle(() => one.told, isLong(9))
  await settle(() => troubles, isLong(1))
  await delay(300)
  assert.deepEqual([one.told.length, troubles.length], [9, 1])
  assert.match(troubles[0]!, /refuses NOTIFY for a\.example\. with RCODE 9/)
})

const TRIED_AGAIN: [sentence: string, Conduct][] = [
  [
    'refuses, for it may not know the zone yet',
    (nth) => ({ rcode: nth === 1 ? NOTAUTH : NOERROR }),
  ],
  ['refuses without a signature', (nth) => (nth === 1 ? { rcode: REFUSED, forged: true } : {})],
  ['does not answer', (nth) => (nth === 1 ? undefined : {})],
  ['seems to agree, but without a signature', (nth) => ({ forged: nth === 1 })],
]

for (const [sentence, conduct] of TRIED_AGAIN) {
  test(`it is told again to one that ${sentence}`, async () => {
    await using opened = new AsyncDisposableStack()
    const one = await secondary(opened, conduct)
    const { notify, troubles } = await notifier(opened, [one.at], 1000)
    notify.changed('acme.example.')
    await settle(() => one.told, isLong(2))
    await delay(300)
    assert.deepEqual([one.told.length, troubles], [2, []])
  })
}

test('a silent secondary delays no other, with a thousand changes to tell', async () => {
  await using opened = new AsyncDisposableStack()
  const silent = await secondary(opened, () => undefined)
  const one = await secondary(opened, () => ({}))
  const { notify } = await notifier(opened, [silent.at, one.at], 200)
  for (let index = 0; index < 1000; index++) notify.changed(`z${index}.example.`)
  await settle(
    () => new Set(one.told).size,
    (zones) => zones === 1000,
  )
})

test('an answer from elsewhere than the secondary is no answer', async () => {
  await using opened = new AsyncDisposableStack()
  const stranger = createSocket('udp4')
  opened.defer(() => new Promise((done) => stranger.close(() => done())))
  const socket = createSocket('udp4')
  let told = 0
  socket.on('message', (message: Buffer, from: RemoteInfo) => {
    told++
    const check = checkQuery(message, [KEY], NOW_S)
    if (check.is !== 'verified') return
    const said = Buffer.from(check.message)
    said.writeUInt16BE(said.readUInt16BE(2) | 0x8000, 2)
    stranger.send(check.signer.sign(said, NOW_S), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  opened.defer(() => new Promise((done) => socket.close(() => done())))
  const { notify } = await notifier(
    opened,
    [{ address: '127.0.0.1', port: socket.address().port }],
    200,
  )
  notify.changed('acme.example.')
  await settle(
    () => told,
    (times) => times >= 2,
  )
})
