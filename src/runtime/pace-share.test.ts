/** Processes that ask the same server, each with its share. The server's own log says whether they keep to it. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { paced, shareOf } from '#resolver/pace.ts'
import type { StoreContext } from '#store/context.ts'
import { openDatabase } from '#store/database.ts'
import { testStore } from '../../test/store.ts'
import { systemClock } from '../clock.ts'
import { openPaceShare } from './pace-share.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())

const PER_SECOND = 20
const TIMES = { renewedEveryMs: 100, leaseMs: 600 }
const SERVER = '192.0.2.1'

/** Asks as often as it may until it is ended, noting when. */
async function process(log: number[], { db, doorbell, vault }: StoreContext = store) {
  const opened = new AsyncDisposableStack()
  const errors: unknown[] = []
  const onError = (error: unknown) => void errors.push(error)
  const share = await openPaceShare({ store: { db, doorbell, vault }, opened, onError }, TIMES)
  const stop = new AbortController()
  const pace = paced(() => shareOf(PER_SECOND, share()), systemClock)
  const asking = (async () => {
    while (!stop.signal.aborted) {
      await pace(SERVER, 'asked', stop.signal)
      log.push(performance.now())
    }
  })().catch(() => undefined)
  return {
    share,
    errors,
    async end() {
      stop.abort()
      await asking
      await opened.disposeAsync()
    },
  }
}

const until = async (isSo: () => boolean) => {
  while (!isSo()) await delay(20)
}

function mostInASecond(log: readonly number[]): number {
  const times = log.toSorted((a, b) => a - b)
  return Math.max(
    ...times.map((from, index) => times.slice(index).filter((at) => at - from < 1000).length),
  )
}

test('two processes together ask no more often than one may, while processes come and go', async () => {
  const log: number[] = []
  const first = await process(log)
  await delay(1100)
  const second = await process(log)
  await until(() => second.share() === 0.5)
  assert.equal(first.share(), 0.5)
  await delay(1100)
  await first.end()
  await until(() => second.share() === 1)
  await delay(600)
  await second.end()
  assert.ok(mostInASecond(log) <= PER_SECOND, `${mostInASecond(log)} within a second`)
  assert.ok(log.length >= 3 * PER_SECOND * 0.5, `${log.length} in all`)
})

test('a process without the database asks no more than its share, and soon nothing; trouble is told once', async () => {
  const db = openDatabase(store.connection, { onError: () => undefined })
  const log: number[] = []
  const addCut = await process(log, { ...store, db })
  assert.equal(addCut.share(), 1)
  await db.destroy()
  await until(() => addCut.share() === 0)
  const asked = log.length
  const other = await process([])
  await until(() => other.share() === 1)
  assert.equal(log.length, asked)
  assert.equal(addCut.errors.length, 1)
  await other.end()
  await addCut.end()
})
