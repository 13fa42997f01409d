/** What is kept for Idempotency-Keys when there are very many: found by an index, and forgotten in time. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { openDatabase } from '#store/database.ts'
import { claimRequest, dropOldAnswers } from '#store/idempotent-requests.ts'
import type { Answer } from '../client.ts'
import { testHouse } from '../house.ts'
import { refuses } from './expect.ts'

const ROWS = 100_000
const ANSWERED_WITHIN_MS = 2000
const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
/** One connection, so that what it has counted can be read at once. */
const db = openDatabase(house.database.connection, { connections: 1, onError: () => undefined })
after(() => db.destroy())

const { id: keyId } = await store.db
  .selectFrom('api_keys')
  .select('id')
  .where('hash', '=', store.vault.fingerprint(client.key!))
  .executeTakeFirstOrThrow()
// As of two days, half of them older than one, and nothing like in order.
await sql`
  insert into idempotent_requests
    (key_id, name, fingerprint, claim, lease_until, status, content_type, answer, created_at)
  select ${keyId}, 'kept-' || n, 'x', gen_random_uuid(), now(), 201, 'application/json',
         repeat(md5(n::text), 10), now() - n * interval '48 hours' / ${ROWS}
    from generate_series(1, ${ROWS}) n order by md5(n::text)`.execute(db)

const post = (name: string, domain: string): Promise<Answer> =>
  client.request('POST', '/api/public/v1/domains', { domain }, { 'idempotency-key': name })
const count = async (): Promise<number> =>
  (
    await db
      .selectFrom('idempotent_requests')
      .select(sql<number>`count(*)::int`.as('rows'))
      .executeTakeFirstOrThrow()
  ).rows

/** How often the table was read whole, and how often by an index. */
async function reads(): Promise<{ whole: number; byIndex: number }> {
  await sql`select pg_stat_force_next_flush()`.execute(db)
  const { rows } = await sql<{ whole: number; byIndex: number }>`
    select seq_scan::int as whole, idx_scan::int as "byIndex" from pg_stat_user_tables
     where relname = 'idempotent_requests'`.execute(db)
  return rows[0]!
}

for (const isAnalyzed of [false, true]) {
  const what = isAnalyzed
    ? 'and once Postgres has counted them'
    : 'before Postgres has counted them'
  test(`of ${ROWS}, one is found by the index, ${what}`, async () => {
    if (isAnalyzed) await sql`analyze idempotent_requests`.execute(db)
    const before = await reads()
    const results: string[] = []
    for (const name of ['kept-1', 'kept-40000', `new-${isAnalyzed}`]) {
      const request = { keyId, name, fingerprint: Buffer.from('another') }
      results.push((await claimRequest({ ...store, db }, request)).is)
    }
    assert.deepEqual(results, ['mismatch', 'mismatch', 'claimed'])
    const afterwards = await reads()
    assert.equal(afterwards.whole, before.whole)
    assert.ok(afterwards.byIndex > before.byIndex)
  })
}

test(`beside ${ROWS} others, a request is done once and answered again in no time`, async () => {
  const began = performance.now()
  const first = await post('mine', 'beside.test')
  const again = await post('mine', 'beside.test')
  assert.deepEqual([first.status, again.body], [201, first.body])
  assert.equal(again.headers.get('idempotency-replayed'), 'true')
  assert.ok(performance.now() - began < ANSWERED_WITHIN_MS)
  refuses(await post('mine', 'other.test'), 409, 'idempotency_mismatch')
  refuses(await post('kept-1', 'other.test'), 409, 'idempotency_mismatch')
})

test('those older than a day are forgotten by the index, and no other is', async () => {
  const rows = await count()
  const before = await reads()
  await dropOldAnswers({ ...store, db })
  assert.equal((await reads()).whole, before.whole)
  assert.ok(Math.abs((await count()) - (rows - ROWS / 2)) < 50, 'the half that is younger stays')
  const { rows: old } = await sql`
    select from idempotent_requests where created_at <= now() - interval '1 day 1 minute'`.execute(
    db,
  )
  assert.equal(old.length, 0)
  assert.equal((await post(`kept-${ROWS}`, 'again.test')).status, 201, 'its name is free again')
})
