/** A database that is there and does not do what is asked: full, out of connections, or read-only. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { openDatabase } from '#store/database.ts'
import { type Answer, type Client, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { refuses, UNKNOWN_ID } from './expect.ts'

const OFTEN = { MAILSTEAD_RATE_LIMIT_PER_MINUTE: '100000', MAILSTEAD_RATE_LIMIT_PER_HOUR: '100000' }
const house = await testHouse(OFTEN)
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const { body: spare } = await client.post('/keys', { name: 'spare', scopes: ['*'] })

/** From now on, what writes into the table meets that SQLSTATE. */
async function trouble(table: string, state: string): Promise<void> {
  await sql
    .raw(`create or replace function trouble() returns trigger language plpgsql as
          $$ begin raise exception 'trouble' using errcode = '${state}'; end $$;
          create or replace trigger trouble before insert or update or delete on ${table}
          for each statement execute function trouble()`)
    .execute(store.db)
}
const noTrouble = (table: string) => sql.raw(`drop trigger trouble on ${table}`).execute(store.db)

/** All calls that write, by the table that they write into. */
// biome-ignore format: a table
const CALLS: readonly [what: string, table: string, ask: (by: Client) => Promise<Answer>, otherwise: number][] = [
  ['adding a domain',              'domains',             (by) => by.post('/domains', { domain: 'full.test' }),         201],
  ['making a key',                 'api_keys',            (by) => by.post('/keys', { name: 'x', scopes: ['*'] }),       201],
  ['revoking a key',               'api_keys',            (by) => by.delete(`/keys/${spare.key_id}`),                   200],
  ['making a workspace',           'workspaces',          (by) => by.post('/workspaces', { name: 'x' }),                201],
  ['a list, which is counted',     'request_counts',      (by) => by.get('/domains'),                                   200],
  ['a domain there is none of',    'request_counts',      (by) => by.get(`/domains/${UNKNOWN_ID}`),                     404],
  ['a POST that is to be done once', 'idempotent_requests', (by) => by.request('POST', '/api/public/v1/keys', { name: 'x', scopes: ['*'] }, { 'idempotency-key': 'k' }), 201],
  ['the sandbox’s registrar',      'sandbox_delegations', (by) => by.delegate('full.test', ['ada.ns.mailstead.test']),  200],
]

// biome-ignore format: a table
const AWAY: readonly [state: string, what: string][] = [
  ['53000', 'too few resources'],
  ['53100', 'a full disk'],
  ['53200', 'too little memory'],
  ['53300', 'too many connections'],
  ['53400', 'a limit of its configuration'],
  ['57P01', 'a shutdown'],
  ['57P03', 'a start'],
  ['58030', 'an error of the disk'],
  ['25006', 'a database that only reads'],
]

for (const [what, table, ask, otherwise] of CALLS) {
  test(`${what} is answered 503 with Retry-After while the database cannot, and done when it can`, async () => {
    for (const [state, reason] of AWAY) {
      await trouble(table, state)
      const answer = await ask(client)
      refuses(answer, 503, 'database_away')
      assert.ok(Number(answer.headers.get('retry-after')) > 0, reason)
    }
    await noTrouble(table)
    assert.equal((await ask(client)).status, otherwise)
  })
}

test('that is no fault of ours, and the log says what it is', () => {
  const lines = house.logLines.map((line) => JSON.parse(line))
  // The worker, which meets the same trouble, tells of it by itself.
  assert.ok(lines.every(({ msg }) => msg !== 'internal error'))
  const told = lines.filter(({ level }) => level === 40)
  for (const [state] of AWAY)
    assert.ok(
      told.some(({ err }) => err?.code === state),
      state,
    )
})

// biome-ignore format: a table
const BUGS: readonly [state: string, what: string][] = [
  ['22012', 'a division by zero'],
  ['25001', 'another state of the transaction that is wrong'],
  ['42P01', 'a table that is not there'],
  ['54000', 'a limit of a program'],
  ['XX000', 'a fault of Postgres'],
]

test('what is a bug stays 500, without Retry-After, and no secret is told', async () => {
  await using other = await testHouse({ DATABASE_URL: house.database.url })
  const key = client.key!
  const { client: by } = other
  for (const [state, what] of BUGS) {
    await trouble('domains', state)
    const answer = await by.post('/domains', { domain: 'bug.test' })
    refuses(answer, 500, 'internal')
    assert.ok(!answer.headers.has('retry-after'), what)
    assert.ok(!JSON.stringify(answer.body).includes('trouble'), what)
  }
  await noTrouble('domains')
  assert.ok(!other.logLines.join('\n').includes(key))
})

test('a database that is made read-only answers 503 to all that writes, and then all is well again', async () => {
  await using quiet = await testHouse()
  const { connection } = quiet.database
  const admin = openDatabase(connection, { connections: 1, onError: () => undefined })
  const setReadOnly = async (to: 'on' | 'off') => {
    await sql`set session characteristics as transaction read write`.execute(admin)
    await sql
      .raw(`alter database ${connection.database} set default_transaction_read_only = ${to}`)
      .execute(admin)
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(admin)
  }
  try {
    assert.equal((await quiet.client.post('/domains', { domain: 'before.test' })).status, 201)
    await setReadOnly('on')
    const add = () => quiet.client.post('/domains', { domain: 'during.test' })
    for (const ask of [add, add, () => quiet.client.post('/keys', { name: 'x', scopes: ['*'] })]) {
      const answer = await ask()
      refuses(answer, 503, 'database_away')
      assert.ok(Number(answer.headers.get('retry-after')) > 0)
    }
    const { status, body } = await quiet.client.get('/domains')
    assert.deepEqual([status, body.pagination.total], [200, 1], 'what only reads is answered')
    await setReadOnly('off')
    await until(add, (answer) => answer.status === 201)
  } finally {
    await admin.destroy()
  }
})
