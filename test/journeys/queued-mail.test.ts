/** Mail that could not be delivered at once waits in the queue, and leaves only while its domain may send. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { wakeRow } from '#engine/due-rows.ts'
import { compose } from '#mail/outgoing/compose.ts'
import { acceptMessage } from '#store/accept-messages.ts'
import { OUTGOING } from '#store/due-tables.ts'
import { recordDataBegun } from '#store/outgoing-queue.ts'
import { type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const { db } = store

const ELSEWHERE = ['ns1.elsewhere.example', 'ns2.elsewhere.example']

/** An active domain with one message that its recipient puts off. */
async function withDeferred(domain: string) {
  const { domain_id: id, nameservers } = await client.addActive(domain)
  const inbox = { domain_id: id, email_prefix: 'kim', display_name: 'Kim' }
  const { body } = await client.post('/sender-accounts/coldsend-native', inbox)
  const recipient = `${domain.replace('.', '-')}@defers.test`
  await client.post(`/sender-accounts/${body.inbox_id}/test-email`, { recipient_email: recipient })
  const message = await untilQueue(recipient, ({ last_reply }) => /^451/.test(last_reply))
  return { id, nameservers, message: message.id }
}

const messages = () =>
  db
    .selectFrom('outgoing_messages')
    .select(['id', 'recipient', 'state', 'last_reply', 'next_at'])
    .select('content_id')
    .select(sql<boolean>`next_at > now() and lease_until < now()`.as('rests'))

const untilQueue = (recipient: string, isWanted: (row: Json) => boolean): Promise<Json> =>
  until(() => messages().where('recipient', '=', recipient).executeTakeFirst(), isWanted)

/** From now on the recipient takes it, and it is tried at once. */
async function tryAgain(message: string, recipient: string): Promise<void> {
  await db.updateTable('outgoing_messages').set({ recipient }).where('id', '=', message).execute()
  await wakeRow(db, OUTGOING, message)
  store.doorbell.ring('outgoing-due')
}

async function loseDelegation(domain: string, id: string): Promise<void> {
  await client.delegate(domain, ELSEWHERE)
  await client.post(`/domains/${id}/check`)
  // The second sight of a loss comes ten minutes after the first.
  await sql`update domains set delegation = jsonb_set(delegation, '{lostAt}', to_jsonb((now() - interval '11 minutes')::text))
    where id = ${id}`.execute(db)
  await client.post(`/domains/${id}/check`)
  await client.untilDomain(id, ({ sending }) => sending.reason === 'delegation_lost')
}

const arrivedAt = async (address: string): Promise<Json[]> =>
  (await client.sandbox('GET', `/mail?to=${address}`)).body.messages

test('a message that was put off is held while the delegation is away, and leaves when it is back', async () => {
  const { id, nameservers, message } = await withDeferred('away.test')
  await loseDelegation('away.test', id)
  await tryAgain(message, 'away@inbox.test')
  const held = await untilQueue('away@inbox.test', ({ last_reply, rests }) => {
    return /^4\.7\.1 held/.test(last_reply) && rests
  })
  assert.equal(held.state, 'deferred')
  assert.deepEqual(await arrivedAt('away@inbox.test'), [])

  await client.delegate('away.test', nameservers)
  await client.untilDomain(id, ({ sending }) => {
    void client.post(`/domains/${id}/check`)
    return sending.allowed
  })
  await tryAgain(message, 'away@inbox.test')
  const sent = await untilQueue('away@inbox.test', ({ state }) => state === 'sent')
  assert.notEqual(held.content_id, null)
  assert.equal(sent.content_id, null, 'what was sent is not kept here')
  assert.equal((await arrivedAt('away@inbox.test')).length, 1)
})

test('so is one while nobody could see the delegation for an hour', async () => {
  const { id, message } = await withDeferred('unseen.test')
  await sql`update conditions set last_look_at = now() - interval '61 minutes'
    where domain_id = ${id} and type = 'delegated'`.execute(db)
  await sql`update domains set looked_at = null where id = ${id}`.execute(db)
  await tryAgain(message, 'unseen@inbox.test')
  const held = await untilQueue('unseen@inbox.test', ({ last_reply }) =>
    /^4\.7\.1/.test(last_reply),
  )
  assert.equal(held.state, 'deferred')
  assert.deepEqual(await arrivedAt('unseen@inbox.test'), [])
})

test('what was held for four days is given up', async () => {
  const { id, message } = await withDeferred('forlorn.test')
  await loseDelegation('forlorn.test', id)
  await sql`update outgoing_messages set created_at = now() - interval '97 hours' where id = ${message}`.execute(
    db,
  )
  await tryAgain(message, 'forlorn@inbox.test')
  const ended = await untilQueue('forlorn@inbox.test', ({ state }) => state !== 'deferred')
  assert.equal(ended.state, 'failed')
  assert.match(ended.last_reply, /^4\.4\.7 given up: 4\.7\.1 held/)
  assert.deepEqual(await arrivedAt('forlorn@inbox.test'), [])
})

test('what is queued goes with its domain', async () => {
  const { id, message } = await withDeferred('removed.test')
  const { content_id } = await messages().where('id', '=', message).executeTakeFirstOrThrow()
  await client.delete(`/domains/${id}`)
  await client.untilRemoval(id, 'tombstone')
  const left = await messages().where('id', '=', message).executeTakeFirstOrThrow()
  assert.deepEqual([left.state, left.content_id], ['cancelled', null])
  const contents = await db
    .selectFrom('message_contents')
    .select('id')
    .where('id', '=', content_id)
    .execute()
  assert.deepEqual(contents, [])
})

test('of a campaign nothing is sent twice: what a crash left in doubt is shown as unknown', async () => {
  const { id } = await withDeferred('twice.test')
  const { rows } = await sql<{ claimId: string }>`
    select id as "claimId" from claims where domain_id = ${id}`.execute(db)
  const claim = { claimId: rows[0]!.claimId, name: 'twice.test', nameservers: [] }
  const author = { localpart: 'kim', displayName: 'Kim' }
  const send = async (recipient: string) => {
    const plain = {
      origin: 'campaign' as const,
      author,
      recipient,
      subject: 'Hello',
      text: 'Hello',
    }
    const mail = await compose(plain, claim.name)
    const limits = { workspace: 0, installation: 0 }
    await acceptMessage(store, claim, mail, { world: 'sandbox', account: 'embedded', limits })
  }
  await send('once@inbox.test')
  const { id: sent } = await untilQueue('once@inbox.test', ({ state }) => state === 'sent')
  const notedAt = await sql<{ at: Date }>`
    select data_at as at from outgoing_messages where id = ${sent}`.execute(db)
  assert.equal(notedAt.rows[0]!.at, null, 'what became of it is known')

  await send('doubt@defers.test')
  const { id: doubt } = await untilQueue('doubt@defers.test', ({ state }) => state === 'deferred')
  // As who had taken it, and ended before it was told what became of it.
  await sql`update outgoing_messages set lease_until = now() + interval '1 s' where id = ${doubt}`.execute(
    db,
  )
  const { rows: taken } = await sql<{ epoch: string }>`
    select epoch from outgoing_messages where id = ${doubt}`.execute(db)
  const [{ epoch }] = taken as [{ epoch: string }]
  assert.deepEqual(
    [...(await recordDataBegun(store, [{ id: doubt, epoch: `${BigInt(epoch) + 1n}` }]))],
    [],
  )
  assert.deepEqual([...(await recordDataBegun(store, [{ id: doubt, epoch }]))], [doubt])
  await sql`update outgoing_messages set lease_until = '-infinity' where id = ${doubt}`.execute(db)
  assert.deepEqual([...(await recordDataBegun(store, [{ id: doubt, epoch }]))], [], 'nobody has it')
  await tryAgain(doubt, 'doubt@inbox.test')
  await untilQueue('doubt@inbox.test', ({ state }) => state === 'unknown')
  const { body } = await client.get(`/messages/${doubt}`)
  assert.equal(body.attempts.length, 1)
  assert.match(body.last_reply, /may have arrived: it is not sent again/)
  assert.deepEqual(await arrivedAt('doubt@inbox.test'), [])
})
