import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { newDomain, newInbox } from '../../test/domains-in-store.ts'
import { testStore } from '../../test/store.ts'
import { newId } from '../ids.ts'
import { ensureWorkspace, FIRST_WORKSPACE } from './api-keys.ts'
import { dropOldRows, dropRemovedDomains } from './old-rows.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db } = store

const ago = (days: number): Date => new Date(Date.now() - days * 86_400_000)
const AGES = [0, 29, 31, 400]
const SENT = { envelope_sender: 'kim@acme.test', recipient: 'ann@inbox.test' }
const OUTGOING = {
  author: 'kim@acme.test',
  recipient: 'ann@inbox.test',
  workspace_id: FIRST_WORKSPACE,
  world: 'sandbox' as const,
  origin: 'test' as const,
  account: 'embedded',
  message_id: '<x@acme.test>',
  recipient_domain: 'inbox.test',
}
await ensureWorkspace(store, FIRST_WORKSPACE, 'a workspace')

async function message(state: 'queued' | 'sent' | 'failed', age: number): Promise<void> {
  const ended = state === 'queued' ? null : ago(age)
  const ids = { id: randomUUID(), claim_id: randomUUID() }
  await db
    .insertInto('outgoing_messages')
    .values({ ...ids, ...OUTGOING, state, created_at: ago(age), finished_at: ended })
    .execute()
}

test('what has ended or was only passed through is kept for thirty days, and what is queued for longer', async () => {
  for (const age of AGES) {
    for (const state of ['queued', 'sent', 'failed'] as const) await message(state, age)
    const received_at = ago(age)
    await db
      .insertInto('provider_events')
      .values({ account: 'azure-1', event_id: `${age} days`, received_at })
      .execute()
    await db
      .insertInto('sandbox_messages')
      .values({
        id: randomUUID(),
        ...SENT,
        raw: Buffer.from('x'),
        authentication: '{}' as never,
        received_at,
      })
      .execute()
  }
  await dropOldRows(store)
  const left = await db.selectFrom('outgoing_messages').select('state').orderBy('state').execute()
  assert.deepEqual(
    left.map(({ state }) => state),
    [...Array(2).fill('failed'), ...Array(4).fill('queued'), ...Array(2).fill('sent')],
  )
  const events = await db.selectFrom('provider_events').select('event_id').execute()
  assert.deepEqual(events.map(({ event_id }) => event_id).toSorted(), ['0 days', '29 days'])
  const mail = await db.selectFrom('sandbox_messages').select('id').execute()
  assert.equal(mail.length, 2)
})

test('events of messages are kept for thirty days, others for a year; the last proof of a domain for ever', async () => {
  const { domainId } = await newDomain(store, 'old.test')
  for (const age of AGES) {
    for (const type of ['message.sent', 'domain.active'] as const) {
      await db
        .insertInto('events')
        .values({
          id: randomUUID(),
          workspace_id: FIRST_WORKSPACE,
          world: 'live',
          domain_id: null,
          position: null,
          at: ago(age),
          type,
          stage: null,
          message: String(age),
          data: '{}' as never,
        })
        .execute()
    }
  }
  const probe = (age: number, isJudged: boolean) => ({
    id: newId(),
    domain_id: domainId,
    recipient: `${randomUUID()}@probe.test`,
    fingerprint: String(age),
    sent_at: ago(age),
    judged_at: isJudged ? ago(age) : null,
    judgement: null,
  })
  for (const [age, isJudged] of [
    [400, true],
    [60, true],
    [50, false],
  ] as const)
    await db.insertInto('probes').values(probe(age, isJudged)).execute()
  await dropOldRows(store)
  const left = await db
    .selectFrom('events')
    .select(['type', 'message'])
    .where('message', 'in', AGES.map(String))
    .orderBy('type')
    .orderBy('message')
    .execute()
  assert.deepEqual(
    left.map(({ type, message }) => `${type} ${message}`),
    [
      'domain.active 0',
      'domain.active 29',
      'domain.active 31',
      'message.sent 0',
      'message.sent 29',
    ],
  )
  const probes = await db
    .selectFrom('probes')
    .select('fingerprint')
    .where('domain_id', '=', domainId)
    .orderBy('id')
    .execute()
  assert.deepEqual(
    probes.map(({ fingerprint }) => fingerprint),
    ['60', '50'],
  )
})

test('however many there are', async () => {
  const many = Array.from({ length: 2500 }, (_, index) => ({
    account: 'azure-2',
    event_id: `event ${index}`,
    received_at: ago(31),
  }))
  await db.insertInto('provider_events').values(many).execute()
  await dropOldRows(store)
  const left = await db
    .selectFrom('provider_events')
    .select('event_id')
    .where('account', '=', 'azure-2')
    .execute()
  assert.deepEqual(left, [])
})

test('a domain that was removed a year ago goes with all that is known of it, but for its claim', async () => {
  const removed = async (name: string, days: number) => {
    const claim = await newDomain(store, name)
    const { domainId, claimId } = claim
    await db.deleteFrom('holders').where('claim_id', '=', claimId).execute()
    const inboxId = await newInbox(store, claim, 'kim')
    await db
      .updateTable('inboxes')
      .set({ removed_at: ago(days) })
      .where('id', '=', inboxId)
      .execute()
    await db
      .updateTable('domains')
      .set({ removed_at: ago(days) })
      .where('id', '=', domainId)
      .execute()
    return { domainId, claimId, inboxId }
  }
  const [old, young, archived] = [
    await removed('long-gone.test', 366),
    await removed('gone.test', 364),
    await removed('with-mail.test', 366),
  ]
  await sql`
    insert into threads (id, workspace_id, world, inbox_id, lead_email, subject, thread_key,
                         last_message_preview, last_message_at)
    values (gen_random_uuid(), ${FIRST_WORKSPACE}, 'live', ${archived.inboxId}, 'ann@inbox.test', 'Hello',
            'key', '', now())`.execute(db)
  const standing = await newDomain(store, 'standing.test')
  await dropRemovedDomains(store)
  const claims = [old, young, archived, standing].map(({ claimId }) => claimId)
  const left = await db
    .selectFrom('claims as c')
    .leftJoin('domains as d', 'd.id', 'c.domain_id')
    .leftJoin('inboxes as i', 'i.domain_id', 'd.id')
    .select(['c.name', 'd.id', 'i.localpart'])
    .where('c.id', 'in', claims)
    .orderBy('c.name')
    .execute()
  assert.deepEqual(
    left.map(({ name, id, localpart }) => [name, id !== null, localpart]),
    [
      ['gone.test', true, 'kim'],
      ['long-gone.test', false, null],
      ['standing.test', true, null],
      ['with-mail.test', true, 'kim'],
    ],
  )
})
