/** The database goes away for a moment, just when something was done or is being watched. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { type Answer, type Client, type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, logLines } = house
const { db } = house.store

await sql`create table blinks (at timestamptz default now())`.execute(db)
await sql`create function blink() returns trigger language plpgsql as
  $$ begin insert into blinks default values; return null; end $$`.execute(db)
await sql`create function is_there() returns boolean language plpgsql as $$ begin
  if exists (select from blinks) then
    raise exception 'terminating connection' using errcode = '57P01';
  end if;
  return true; end $$`.execute(db)

/** From now on whoever reads the table, while the database is away, is told so. */
async function readThrough(table: string): Promise<void> {
  const kept = sql.table(`${table}_kept`)
  await sql`alter table ${sql.table(table)} rename to ${kept}`.execute(db)
  await sql`create view ${sql.table(table)} as select * from ${kept} where is_there()`.execute(db)
}

/** The database goes away as soon as a row of this table is committed. */
const blinkAfter = (table: string) =>
  sql`create constraint trigger blink after insert on ${sql.table(`${table}_kept`)}
    deferrable initially deferred for each row execute function blink()`.execute(db)

const isBack = () => sql`delete from blinks`.execute(db)

const named = (of: Client, path: string, body: object): Promise<Answer> =>
  of.request('POST', `/api/public/v1${path}`, body, {
    'idempotency-key': `once ${path}`.replace(' ', '-'),
  })

const active = await client.addActive('steady.test')
for (const table of ['domains', 'inboxes']) await readThrough(table)

test('a stream outlives looks that could not be taken', async () => {
  const { body: added } = await client.post('/domains', { domain: 'watched.test' })
  const response = await fetch(`${client.base}/api/public/v1/domains/${added.domain_id}/progress`, {
    headers: { 'x-api-key': client.key!, accept: 'text/event-stream' },
    signal: AbortSignal.timeout(30_000),
  })
  const reading = response.text()
  await sql`insert into blinks default values`.execute(db)
  await until(
    async () =>
      logLines.filter((line) => line.includes('could not read the progress of a domain')).length,
    (count) => count > 1,
  )
  await isBack()
  await client.delegate('watched.test', added.nameservers)
  const told = await reading
  assert.match(told, /"status":"COMPLETED"/)
})

// biome-ignore format: a table
const DEEDS: [what: string, table: string, path: string, body: Json, known: Json][] = [
  ['a domain that was added', 'domains', '/domains',
    { domain: 'blink.test' }, { domain_name: 'blink.test', status: 'PENDING', nameservers: [] }],
  ['an inbox that was made', 'inboxes', '/sender-accounts/coldsend-native',
    { domain_id: active.domain_id, email_prefix: 'kim', display_name: 'Kim' }, { email_address: 'kim@steady.test', overall_status: 'PENDING' }],
]

for (const [what, table, path, body, known] of DEEDS) {
  test(`${what} is told of as it is known, once and for all`, async () => {
    await blinkAfter(table)
    const first = await named(client, path, body)
    assert.equal(first.status, 201, JSON.stringify(first.body))
    for (const [field, value] of Object.entries(known)) assert.deepEqual(first.body[field], value)
    await sql`drop trigger blink on ${sql.table(`${table}_kept`)}`.execute(db)
    await isBack()
    const again = await named(client, path, body)
    assert.deepEqual([again.status, again.body], [201, first.body])
    assert.equal(again.headers.get('idempotency-replayed'), 'true')
  })
}
