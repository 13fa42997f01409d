import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { testStore } from '../../test/store.ts'
import { exclusiveStore } from './exclusive.ts'

const LEASE_MS = 1200

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const one = exclusiveStore(store, { leaseMs: LEASE_MS })
const other = exclusiveStore(store, { leaseMs: LEASE_MS })

let count = 0
const newKey = () => `key ${++count}`
const expiryOf = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true }),
  )
const turnOf = async (key: string) =>
  (await store.db.selectFrom('turns').selectAll().where('key', '=', key).execute())[0]

test('two processes take turns, for as long as the work takes', async ({ signal }) => {
  const key = newKey()
  const seen: string[] = []
  const begun = Promise.withResolvers<void>()
  const first = one(
    key,
    async (held) => {
      seen.push('first begins')
      begun.resolve()
      // Longer than one lease, which is renewed meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 3 * LEASE_MS))
      held.throwIfAborted()
      seen.push('first ends')
    },
    signal,
  )
  await begun.promise
  await other(key, async () => void seen.push('second'), signal)
  await first
  assert.deepEqual(seen, ['first begins', 'first ends', 'second'])
  assert.equal(await turnOf(key), undefined)
})

test('who lost the turn is told, and takes nothing from who has it', async ({ signal }) => {
  const key = newKey()
  const lost = one(
    key,
    async (held) => {
      await sql`update turns set holder = gen_random_uuid() where key = ${key}`.execute(store.db)
      throw await expiryOf(held)
    },
    signal,
  )
  await assert.rejects(lost, {
    kind: 'unavailable',
    message: 'Another process may do the same work by now.',
  })
  assert.ok(await turnOf(key))
})

test('who could not renew the turn is told', async ({ signal }) => {
  const key = newKey()
  const lost = one(
    key,
    async (held) => {
      await sql`alter table turns rename to turns_away`.execute(store.db)
      const reason = await expiryOf(held)
      await sql`alter table turns_away rename to turns`.execute(store.db)
      throw reason
    },
    signal,
  )
  await assert.rejects(lost, { message: 'Another process may do the same work by now.' })
})

test('work is aborted with who asked for it', async () => {
  const stop = new AbortController()
  const ended = Promise.withResolvers<unknown>()
  const aborted = one(
    newKey(),
    async (held) => {
      stop.abort()
      ended.resolve(held.reason)
    },
    stop.signal,
  )
  await assert.rejects(aborted, { name: 'AbortError' })
  assert.ok(await ended.promise)
})
