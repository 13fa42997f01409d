import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { until } from '../../test/client.ts'
import { testDatabase } from '../../test/database.ts'
import { isDatabaseAway, openDatabase } from './database.ts'
import { migrate } from './migrate.ts'

const { connection, ...database } = await testDatabase()
const onError = () => undefined
const db = openDatabase(connection, { onError })
after(async () => {
  await db.destroy()
  await database[Symbol.asyncDispose]()
})

const asleep = async (): Promise<number> => {
  const { rows } = await sql`select from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
      and state = 'active' and query like '%pg_sleep%'`.execute(db)
  return rows.length
}

test('what takes too long is ended at the server too, and counts as a database that is away', async () => {
  await using hasty = openDatabase(connection, { connections: 1, queryLimitMs: 500, onError })
  await assert.rejects(sql`select pg_sleep(60)`.execute(hasty), (error) => isDatabaseAway(error))
  await until(asleep, (count) => count === 0)
  await sql`select 1`.execute(hasty)
})

test('a migration may take longer than a query may', async () => {
  let isDone = false
  const migrating = await db.transaction().execute(async (tx) => {
    await sql`lock table kysely_migration`.execute(tx)
    const migrated = migrate(connection, onError).then(() => {
      isDone = true
    })
    await Promise.race([migrated, delay(16_000)])
    assert.equal(isDone, false)
    return { migrated }
  })
  await migrating.migrated
})
