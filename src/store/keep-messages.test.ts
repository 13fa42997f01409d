/** Messages that arrive at the same moment are kept together, and none suffers from another. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type { Copy } from '#mail/incoming/receive.ts'
import { type Claim, newDomain, newInbox } from '../../test/domains-in-store.ts'
import { testStore } from '../../test/store.ts'
import { keepMessage } from './keep-messages.ts'
import { mailUsage } from './mail-usage.ts'
import { receivedOctets } from './messages.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db } = store

const none = { result: 'none', domain: '', aligned: false }
const authentication = {
  spf: none,
  dkim: none,
  dmarc: { result: 'none', policy: 'none' },
  header: 'Authentication-Results: mx.test; none',
}

const copyTo = (
  { claimId }: Claim,
  localpart: string,
  preview: string,
  threadKey: string,
): Copy => ({
  claimId,
  localpart,
  recipient: `${localpart}@x.test`,
  envelopeSender: 'ann@far.test',
  author: 'ann@far.test',
  correspondent: 'ann@far.test',
  subject: 'Hello',
  preview,
  kind: 'person',
  words: ['hello'],
  threadKey,
  trace: `Received: ${preview}\r\n`,
  authentication,
})

function keep(text: string, copies: readonly Copy[]): Promise<void> {
  const content = Buffer.from(text)
  return keepMessage(store, { encoding: 'identity', octets: content.length, content }, copies)
}

async function keptOf(claim: Claim, localpart: string) {
  const rows = await db
    .selectFrom('messages as m')
    .innerJoin('message_contents as c', 'c.id', 'm.content_id')
    .select(['m.thread_id', 'm.preview', 'm.trace', 'c.encoding', 'c.content'])
    .where('m.claim_id', '=', claim.claimId)
    .where('m.localpart', '=', localpart)
    .orderBy('m.preview')
    .execute()
  return rows.map((row) => ({ ...row, octets: receivedOctets(row).toString() }))
}

test('many that come at once are all kept, each with its own octets, and their conversations are told apart', async () => {
  const claim = await newDomain(store, 'arrived.test')
  const [kim, lea] = [await newInbox(store, claim, 'kim'), await newInbox(store, claim, 'lea')]
  const texts = Array.from({ length: 60 }, (_, n) => `${n}: ${'x'.repeat(n * 97)}`)
  await Promise.all(
    texts.map((text, n) => {
      const preview = String(n).padStart(2, '0')
      const key = `conversation ${n % 3}`
      const both = [copyTo(claim, 'kim', preview, key), copyTo(claim, 'lea', preview, key)]
      return keep(text, n % 2 === 0 ? both : both.slice(0, 1))
    }),
  )
  const ofKim = await keptOf(claim, 'kim')
  assert.deepEqual(
    ofKim.map(({ octets }) => octets),
    texts.map((text, n) => `Received: ${String(n).padStart(2, '0')}\r\n${text}`),
  )
  assert.equal((await keptOf(claim, 'lea')).length, 30)
  const threads = await db
    .selectFrom('threads')
    .select(['id', 'inbox_id', 'thread_key', 'last_message_preview'])
    .where('inbox_id', 'in', [kim, lea])
    .orderBy('thread_key')
    .execute()
  assert.equal(threads.length, 6)
  for (const { id, inbox_id, thread_key } of threads.filter((one) => one.inbox_id === kim)) {
    const members = ofKim.filter((row) => row.thread_id === id).map((row) => Number(row.preview))
    const expected = texts.keys().filter((n) => thread_key === `conversation ${n % 3}`)
    assert.deepEqual(members, [...expected], inbox_id)
  }
  const quotas = { inbox: 1, domain: 0, workspace: 0 }
  const { inbox } = await mailUsage(db, claim.claimId, 'kim', quotas)
  assert.equal(inbox, texts.join('').length)
})

test('one that cannot be kept is told so, and those beside it are kept', async () => {
  const claim = await newDomain(store, 'beside.test')
  await newInbox(store, claim, 'kim')
  const kept = await Promise.allSettled([
    keep('one', [copyTo(claim, 'kim', '1', 'a')]),
    keep('two', [copyTo(claim, 'kim', 'nul \0', 'a')]),
    keep('three', [copyTo(claim, 'kim', '3', 'a')]),
  ])
  assert.deepEqual(
    kept.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(
    (await keptOf(claim, 'kim')).map(({ preview }) => preview),
    ['1', '3'],
  )
})

test('mail to a mailbox without an inbox, and to the operator, is kept outside of conversations', async () => {
  const claim = await newDomain(store, 'roles.test')
  const operator = randomUUID()
  await Promise.all([
    keep('to a role', [copyTo(claim, 'postmaster', 'role', 'a')]),
    keep('to us', [{ ...copyTo(claim, operator, 'ours', 'a'), claimId: null }]),
  ])
  const [role] = await keptOf(claim, 'postmaster')
  assert.equal(role!.thread_id, null)
  const ours = await db
    .selectFrom('messages')
    .select(['claim_id', 'thread_id'])
    .where('localpart', '=', operator)
    .executeTakeFirstOrThrow()
  assert.deepEqual(ours, { claim_id: null, thread_id: null })
})
