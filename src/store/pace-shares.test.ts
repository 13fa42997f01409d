import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { sql } from 'kysely'
import { testStore } from '../../test/store.ts'
import { newId } from '../ids.ts'
import { releaseShare, renewShare } from './pace-shares.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const [A, B, C] = [newId(), newId(), newId()]
const LEASE_MS = 60_000

beforeEach(async () => void (await store.db.deleteFrom('pace_shares').execute()))

const renew = (process: string, inUse: number) => renewShare(store, process, inUse, LEASE_MS)

async function total(): Promise<number> {
  const { rows } = await sql<{
    total: number
  }>`select sum(share) as total from pace_shares`.execute(store.db)
  return rows[0]!.total
}

test('one process has all of it', async () => {
  assert.deepEqual(await renew(A, 0), { share: 1, evenly: 1 })
  assert.deepEqual(await renew(A, 1), { share: 1, evenly: 1 })
})

test('another gets nothing until the first uses less, and then half', async () => {
  await renew(A, 0)
  assert.deepEqual(await renew(B, 0), { share: 0, evenly: 0.5 })
  assert.deepEqual(await renew(A, 1), { share: 1, evenly: 0.5 }, 'it has just been told to')
  assert.deepEqual(await renew(B, 0), { share: 0, evenly: 0.5 })
  assert.deepEqual(await renew(A, 0.5), { share: 0.5, evenly: 0.5 })
  assert.deepEqual(await renew(B, 0), { share: 0.5, evenly: 0.5 })
})

test('what one gives up the other has at its next renewal', async () => {
  await renew(A, 0)
  await renew(B, 0)
  await releaseShare(store, A)
  assert.deepEqual(await renew(B, 0), { share: 1, evenly: 1 })
})

test('what one leaves behind is the others once its lease has run out', async () => {
  await renew(A, 0)
  await sql`update pace_shares set until = now() - interval '1 ms'`.execute(store.db)
  assert.deepEqual(await renew(B, 0), { share: 1, evenly: 1 })
  assert.deepEqual(await renew(A, 0), { share: 0, evenly: 0.5 }, 'and nothing is its own any more')
})

test('however many come and go at the same time, all together never have more than the whole', async () => {
  const held = new Map([A, B, C, newId(), newId()].map((process) => [process, 0]))
  for (let round = 0; round < 40; round++) {
    await Promise.all(
      [...held].map(async ([process, inUse]) => {
        if (Math.random() < 0.1) {
          held.set(process, 0)
          return releaseShare(store, process)
        }
        const { share, evenly } = await renew(process, inUse)
        held.set(process, Math.min(share, evenly))
      }),
    )
    assert.ok((await total()) <= 1 + 1e-9, `${await total()} in round ${round}`)
  }
})
