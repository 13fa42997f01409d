import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { testHouse } from '../house.ts'
import { sendMail } from '../smtp.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house
const { db } = house.store

test('a message to several that could not be kept for one is kept for none, until it is sent again', async () => {
  const { domain_id } = await client.addActive('acme.test')
  const addresses = ['kim', 'lee', 'joe']
  for (const email_prefix of addresses) {
    const inbox = { domain_id, email_prefix, display_name: email_prefix }
    assert.equal((await client.post('/sender-accounts/coldsend-native', inbox)).status, 201)
  }
  await sql`create function trouble() returns trigger language plpgsql as $$ begin
    if new.localpart = 'lee' then raise exception 'the disk is full'; end if;
    return new; end $$`.execute(db)
  await sql`create trigger trouble before insert on messages
    for each row execute function trouble()`.execute(db)

  const recipients = addresses.map((localpart) => `${localpart}@acme.test`)
  const letter = 'From: ann@inbox.test\r\nSubject: To all of you\r\n\r\nHello\r\n'
  const send = () => sendMail(house.smtp, recipients, letter, 'ann@inbox.test')
  const kept = async () => {
    const rows = await db.selectFrom('messages').select('recipient').orderBy('recipient').execute()
    return rows.map(({ recipient }) => recipient)
  }
  assert.equal(await send(), 451)
  assert.deepEqual(await kept(), [])
  await sql`create or replace function trouble() returns trigger language plpgsql as $$ begin
    raise exception 'could not extend file' using errcode = '53100'; end $$`.execute(db)
  assert.equal(await send(), 452)
  assert.deepEqual(await kept(), [])
  const contents = await db.selectFrom('message_contents').select('id').execute()
  assert.deepEqual(contents.length, 0, 'nothing is left of what was not acknowledged')
  await sql`drop trigger trouble on messages`.execute(db)
  assert.equal(await send(), 250)
  assert.deepEqual(await kept(), recipients.toSorted())
  assert.equal((await client.get('/replies')).body.total_count, 3)
})
