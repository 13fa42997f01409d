import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { testStore } from '../../test/store.ts'
import { ensureWorkspace, FIRST_WORKSPACE } from './api-keys.ts'
import { dropOldRows } from './old-rows.ts'

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
