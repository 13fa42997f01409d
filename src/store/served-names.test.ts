import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { readServedNames } from '#runtime/roles/served-names.ts'
import { until } from '../../test/client.ts'
import { testDatabase } from '../../test/database.ts'
import { newId } from '../ids.ts'
import { openDatabase } from './database.ts'
import { changedNames, touchName } from './served-names.ts'

const database = await testDatabase()
const open = (connections: number) =>
  openDatabase(database.connection, { connections, onError: () => undefined })
const db = open(2)
after(async () => {
  await db.destroy()
  await database[Symbol.asyncDispose]()
})

const FIRST = { after: '', limit: 1000 }

/** All pages, as a follower asks for them. */
async function allPages(mark: string, limit: number): Promise<string[]> {
  const names: string[] = []
  for (let after = ''; ; ) {
    const page = await changedNames(db, mark, { after, limit })
    names.push(...page.names)
    if (page.names.length < limit) return names
    after = page.names.at(-1)!
  }
}

/**
 * A mark after which nothing has changed. Other databases of the cluster may hold it back for a while: what
 * changed then is read twice.
 */
async function untilNothingChanged(): Promise<string> {
  const { mark } = await until(
    async () => {
      const { mark } = await changedNames(db, '0', FIRST)
      return { mark, names: (await changedNames(db, mark, FIRST)).names }
    },
    ({ names }) => names.length === 0,
  )
  return mark
}

test('all names come in pages, each once', async () => {
  await sql`insert into served_names (name)
    select 'n' || n || '.test' from generate_series(1, 25) n`.execute(db)
  const names = await allPages('0', 10)
  assert.equal(names.length, 25)
  assert.equal(new Set(names).size, 25)
})

test('since a mark, what has changed comes, whichever transaction ends first', async () => {
  await using late = open(1)
  const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>()
  const { promise: isTouched, resolve: touched } = Promise.withResolvers<void>()
  const lateEnd = late.transaction().execute(async (tx) => {
    await touchName(tx, 'late.test')
    touched()
    await mayCommit
  })
  await isTouched
  await touchName(db, 'early.test')
  const { mark, names, database: before } = await changedNames(db, '0', FIRST)
  assert.ok(names.includes('early.test') && !names.includes('late.test'))
  commit()
  await lateEnd
  const next = await changedNames(db, mark, FIRST)
  assert.ok(next.names.includes('late.test'))
  assert.equal(next.database, before)
  await untilNothingChanged()
})

test('what a dump brought from a cluster that was further is read once, and is no change', async () => {
  await sql`insert into served_names values ('restored.test', '9000000000')`.execute(db)
  const { names } = await changedNames(db, '0', FIRST)
  assert.ok(names.includes('restored.test'))
  const mark = await untilNothingChanged()
  await touchName(db, 'restored.test')
  assert.deepEqual((await changedNames(db, mark, FIRST)).names, ['restored.test'])
})

test('a database that was restored is another', async () => {
  await using other = await testDatabase()
  await using there = openDatabase(other.connection, { connections: 1, onError: () => undefined })
  const identities = [
    (await changedNames(db, '0', FIRST)).database,
    (await changedNames(there, '0', FIRST)).database,
  ]
  await sql`create table copied (like served_names including all)`.execute(there)
  await sql`drop table served_names`.execute(there)
  await sql`alter table copied rename to served_names`.execute(there)
  identities.push((await changedNames(there, '0', FIRST)).database)
  assert.equal(new Set(identities).size, 3)
})

test('a page of names is read by indexes, also before anything was analyzed', async () => {
  await using own = open(1)
  const [workspace] = (
    await sql<{ id: string }>`
    insert into workspaces (id, name) values (${newId()}, 'w') returning id`.execute(own)
  ).rows
  await sql`insert into domains (id, workspace_id, world, name, status, zone_driver, sender_driver,
                                 mailbox_driver, next_at)
    select gen_random_uuid(), ${workspace!.id}, 'sandbox', 'd' || n || '.test',
           case n % 20 when 0 then 'FAILED' when 1 then 'DNS_PENDING' else 'ACTIVE' end,
           'embedded', 'embedded', 'embedded', 'infinity'
      from generate_series(1, 20000) n`.execute(own)
  await sql`insert into claims (id, domain_id, workspace_id, world, name)
    select gen_random_uuid(), id, workspace_id, world, name from domains`.execute(own)
  await sql`insert into zones (claim_id, world, name, nameservers)
    select id, world, name, array['ns1.test', 'ns2.test'] from claims`.execute(own)
  await sql`insert into served_names (name) select name from zones`.execute(own)
  const names = Array.from({ length: 1000 }, (_, index) => `d${1 + index * 19}.test`)
  const before = await rowsRead()
  const served = await readServedNames(own, names)
  const read = (await rowsRead()) - before
  assert.ok(read < 10 * names.length, `${read} rows were read`)
  assert.deepEqual(
    served.map(({ name }) => name),
    names,
  )
  assert.equal(served.filter(({ zone }) => zone).length, 50)
  assert.equal(served.filter(({ waiting }) => waiting.length === 1).length, 100)

  async function rowsRead(): Promise<number> {
    await sql`select pg_stat_force_next_flush()`.execute(own)
    const { rows } = await sql<{ read: string }>`
      select sum(seq_tup_read) + (select sum(idx_tup_read) from pg_stat_user_indexes) as read
        from pg_stat_user_tables`.execute(own)
    return Number(rows[0]!.read)
  }
})
