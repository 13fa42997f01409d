import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { days, minutes } from '../../clock.ts'
import { SendingStopped } from './gate.ts'
import type { AttemptResult, QueuedMail } from './mail.ts'
import { type AttemptRecord, Queue } from './queue.ts'
import { Shares } from './shares.ts'

const NOW = new Date('2026-11-23T10:00:00Z')
const row = { id: 'a row', epoch: '1', wake: '0', failures: 2 }

const MAIL: QueuedMail = {
  id: row.id,
  workspaceId: 'a workspace',
  world: 'sandbox',
  claim: { claimId: 'a claim', name: 'acme.example', nameservers: [] },
  account: 'embedded',
  origin: 'test',
  inboxId: undefined,
  inbox: 'none',
  recipientIs: 'accepts',
  domain: 'allowed',
  messageId: '<x@acme.example>',
  author: 'kim',
  bouncesArrive: false,
  recipient: 'ann@other.example',
  destination: 'other.example',
  createdAt: NOW,
  isInDoubt: false,
  epoch: row.epoch,
  key: undefined,
  content: Buffer.from('Subject: x\r\n\r\nbody\r\n'),
}
const SENT: AttemptResult = { is: 'sent', reply: '250 OK' }

/** A silent host: the attempt ends when it is aborted. */
const silent = (_: QueuedMail, signal: AbortSignal) =>
  new Promise<AttemptResult>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })

type Attempt = (mail: QueuedMail, signal: AbortSignal) => Promise<AttemptResult>

function bench(attempt: Attempt, mail: Partial<QueuedMail> = {}, limitMs = 50) {
  const recorded: AttemptRecord[][] = []
  const loaded: (readonly string[])[] = []
  const failed: string[] = []
  const shares = new Shares({ ofWorkspace: 3, toDestination: 2 }, () => NOW.getTime())
  const queue = new Queue({
    load: async (ids) => {
      loaded.push(ids)
      return ids.map((id) => ({ ...MAIL, id, ...mail }))
    },
    record: async (attempts) => void recorded.push([...attempts]),
    attempt,
    onFailed: async (mail) => void failed.push(mail.id),
    now: () => NOW,
    limitMs,
    shares,
  })
  const pass = (stop = new AbortController()) => queue.pass(row, stop.signal)
  return { queue, shares, recorded, loaded, failed, pass }
}

test('what was sent is noted, and its row is given back with the note', async () => {
  const { pass, recorded } = bench(async () => SENT)
  assert.equal(await pass(), 'written')
  const [attempt] = recorded.flat()
  assert.deepEqual([attempt?.result, attempt?.isAttempt], [SENT, true])
})

test('an attempt that takes too long is a deferral, and the next one is further away', async () => {
  const { pass, recorded } = bench(silent)
  await pass()
  const [attempt] = recorded.flat()
  assert.deepEqual(
    [attempt?.result.is, attempt?.result.reply],
    ['deferred', '4.4.2 the attempt took too long'],
  )
  assert.deepEqual([attempt?.afterMs, attempt?.failures], [minutes(4), 3])
})

test('a host that has kept us waiting for four days is given up', async () => {
  const { pass, recorded, failed } = bench(silent, { createdAt: new Date(NOW.getTime() - days(4)) })
  await pass()
  const [attempt] = recorded.flat()
  assert.equal(attempt?.result.is, 'failed')
  assert.match(attempt.result.reply, /^4\.4\.7 given up: 4\.4\.2/)
  assert.deepEqual(failed, [row.id])
})

test('an attempt that a stop ends is none: nothing is noted', async () => {
  const stop = new AbortController()
  const { pass, recorded } = bench(silent, {}, 60_000)
  const passing = pass(stop)
  setTimeout(() => stop.abort(), 20)
  await assert.rejects(passing, { name: 'AbortError' })
  assert.deepEqual(recorded, [])
})

test('a message that a stop of all sending kept is given back as it was, however old', async () => {
  const stopped = async () => {
    throw new SendingStopped()
  }
  const { pass, recorded, failed, shares } = bench(stopped, {
    createdAt: new Date(NOW.getTime() - days(9)),
  })
  assert.deepEqual(await pass(), { afterMs: 0, failures: row.failures })
  assert.deepEqual([recorded, failed], [[], []])
  assert.deepEqual(shares.taking().destinations, [])
})

test('what may not leave is not attempted', async () => {
  const held = bench(() => assert.fail(), { domain: 'held' })
  await held.pass()
  assert.deepEqual(
    held.recorded.flat().map(({ result, isAttempt }) => [result.is, isAttempt]),
    [['deferred', false]],
  )
  const ended = bench(() => assert.fail(), { inbox: 'removed' })
  await ended.pass()
  assert.equal(ended.recorded.flat()[0]?.result.is, 'failed')
})

test('what comes at once is read at once, and noted at once', async () => {
  const { queue, recorded, loaded } = bench(async () => SENT)
  const { signal } = new AbortController()
  const rows = Array.from({ length: 20 }, (_, n) => ({ ...row, id: `row ${n}` }))
  await Promise.all(rows.map((each) => queue.pass(each, signal)))
  assert.deepEqual([loaded.length, recorded.length, recorded.flat().length], [1, 1, 20])
})

test('a workspace and a destination with their share are not taken, until something of it is done', async () => {
  const ends: (() => void)[] = []
  const { queue, shares } = bench(
    () => new Promise((resolve) => ends.push(() => resolve(SENT))),
    {},
    60_000,
  )
  const { signal } = new AbortController()
  const passes = ['a', 'b', 'c'].map((id) => queue.pass({ ...row, id }, signal))
  await delay(20)
  assert.deepEqual(shares.taking().workspaces, ['a workspace'])
  assert.deepEqual(shares.taking().destinations, ['other.example'])
  for (const end of ends) end()
  await Promise.all(passes)
  assert.deepEqual([shares.taking().workspaces, shares.taking().destinations], [[], []])
})

test('a destination that is silent rests, longer each time, and no more once it answers', () => {
  let now = 0
  const shares = new Shares({ ofWorkspace: 3, toDestination: 2 }, () => now)
  const SILENT: AttemptResult = { is: 'deferred', reply: '', isSilent: true }
  const restsFor = (): number => {
    const began = now
    while (shares.taking().destinations.length > 0) now += 1000
    return now - began
  }
  shares.recordResult(MAIL, SILENT)
  shares.recordResult(MAIL, SILENT)
  const first = restsFor()
  shares.recordResult(MAIL, SILENT)
  const second = restsFor()
  assert.ok(first > 0 && second > first, `${first} ${second}`)
  shares.recordResult(MAIL, SENT)
  shares.recordResult(MAIL, SILENT)
  assert.equal(restsFor(), first)
})

// biome-ignore format: a table
const LOST: [what: string, mail: Partial<QueuedMail>, is: string][] = [
  ['of a person is sent again',            { origin: 'test' },                      'deferred'],
  ['of a campaign is not',                 { origin: 'campaign' },                  'unknown'],
  ['of a campaign before a crash is not',  { origin: 'campaign', isInDoubt: true }, 'unknown'],
]

for (const [what, mail, is] of LOST) {
  test(`a message whose answer was lost: ${what}`, async () => {
    const LOST_ANSWER: AttemptResult = {
      is: 'deferred',
      reply: '4.4.2 the connection was closed',
      host: 'mx.other.example',
      isUnanswered: true,
    }
    const attempts: string[] = []
    const { pass, recorded } = bench(async ({ id }) => {
      attempts.push(id)
      return LOST_ANSWER
    }, mail)
    await pass()
    assert.equal(recorded.flat()[0]?.result.is, is)
    assert.equal(attempts.length, mail.isInDoubt ? 0 : 1)
  })
}

test('a message of a campaign that was put off is sent later', async () => {
  const { pass, recorded } = bench(
    async () => ({ is: 'deferred', reply: '451 later', host: 'mx' }),
    {
      origin: 'campaign',
    },
  )
  await pass()
  assert.equal(recorded.flat()[0]?.result.is, 'deferred')
})
