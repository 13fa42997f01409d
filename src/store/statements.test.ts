import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { testDatabase } from '../../test/database.ts'
import { type Database, isDatabaseAway, openDatabase } from './database.ts'

const { connection, ...database } = await testDatabase()
const open = () => openDatabase(connection, { connections: 1, onError: () => undefined })
const db = open()
after(async () => {
  await db.destroy()
  await database[Symbol.asyncDispose]()
})

const prepared = async (of: Database): Promise<string[]> => {
  const { rows } = await sql<{ statement: string }>`
    select statement from pg_prepared_statements order by name`.execute(of)
  return rows.map(({ statement }) => statement)
}

const ask = (times: number, of: Database, what: (of: Database, time: number) => Promise<unknown>) =>
  Array.from({ length: times }).reduce<Promise<unknown>>(
    (done, _, time) => done.then(() => what(of, time)),
    Promise.resolve(),
  )

const byName = (of: Database, time: number) =>
  of.selectFrom('workspaces').selectAll().where('name', '=', `w${time}`).execute()

test('what is asked often is prepared once, whatever its values', async () => {
  await ask(40, db, byName)
  assert.deepEqual(await prepared(db), ['select * from "workspaces" where "name" = $1'])
})

test('what is asked rarely is not, nor what has no values', async () => {
  const before = await prepared(db)
  await ask(15, db, (of) => of.selectFrom('inboxes').select('id').where('id', '=', null).execute())
  await ask(40, db, (of) => sql`select 1`.execute(of))
  assert.deepEqual(await prepared(db), before)
})

test('a column that another release adds costs nobody an answer', async () => {
  await using other = open()
  await ask(40, db, byName)
  await sql`alter table workspaces add column added int`.execute(other)
  await ask(40, db, byName)
  await sql`alter table workspaces drop column added`.execute(other)
  await byName(db, 0)
})

test('but for a transaction, whose owner hears that it may be repeated', async () => {
  await using own = open()
  await using other = open()
  await ask(40, own, byName)
  await sql`alter table workspaces add column added int`.execute(other)
  const twice = () => own.transaction().execute((tx) => ask(2, tx, byName))
  await assert.rejects(twice(), (error) => isDatabaseAway(error))
  await twice()
  await sql`alter table workspaces drop column added`.execute(other)
})

test('however many there are, a hundred are prepared', async () => {
  await using own = open()
  for (let each = 0; each < 130; each++) {
    await ask(21, own, (of) => sql`select ${sql.raw(`1 as n${each}`)}, ${each}::int`.execute(of))
  }
  assert.equal((await prepared(own)).length, 100)
})
