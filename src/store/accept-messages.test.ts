/** Messages that come at the same moment are accepted together, and none suffers from another. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { NotAccepted } from '#mail/outgoing/gate.ts'
import type { OutgoingMail } from '#mail/outgoing/mail.ts'
import { type Claim, NO_LIMITS, newDomain, newInbox } from '../../test/domains-in-store.ts'
import { testStore } from '../../test/store.ts'
import { decodedContent } from '../mail/content.ts'
import { type Acceptance, acceptMessage } from './accept-messages.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db } = store
const EMBEDDED: Acceptance = { world: 'live', account: 'embedded', limits: NO_LIMITS }

const mail = (recipient: string, more: Partial<OutgoingMail> = {}): OutgoingMail => ({
  id: randomUUID(),
  origin: 'reply',
  inboxId: undefined,
  author: 'kim',
  recipient,
  messageId: `<${randomUUID()}@sent.test>`,
  content: Buffer.from(`To: ${recipient}\r\n\r\nfor ${recipient}\r\n`),
  ...more,
})

/** What became of each, in their order: true, false, or the name of what was thrown. */
async function acceptAll(
  wishes: readonly [Claim, OutgoingMail][],
  acceptance = EMBEDDED,
): Promise<(boolean | string)[]> {
  const ended = await Promise.allSettled(
    wishes.map(([claim, message]) => acceptMessage(store, claim, message, acceptance)),
  )
  return ended.map((each) =>
    each.status === 'fulfilled' ? each.value : ((each.reason as Error).name as string),
  )
}

async function contentOf(id: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('outgoing_messages as m')
    .innerJoin('message_contents as c', 'c.id', 'm.content_id')
    .select(['c.encoding', 'c.content'])
    .where('m.id', '=', id)
    .executeTakeFirst()
  return row && decodedContent(row).toString()
}

test('each of many has its own content, whatever their sizes', async () => {
  const claim = await newDomain(store, 'many.test')
  const big = Buffer.from(`To: big@x.test\r\n\r\n${randomUUID().repeat(60_000)}\r\n`)
  const all = Array.from({ length: 70 }, (_, n) => mail(`n${n}@x.test`))
  all.push(mail('big@x.test', { content: big }), mail('empty@x.test', { content: Buffer.alloc(0) }))
  assert.deepEqual(new Set(await acceptAll(all.map((each) => [claim, each]))), new Set([true]))
  for (const { id, content } of all) assert.equal(await contentOf(id), content.toString())
})

test('one that the database refuses, one of no claim and one of a removed inbox harm nobody else', async () => {
  const claim = await newDomain(store, 'beside.test')
  const nobody = { ...claim, claimId: randomUUID(), name: 'nobody.test' }
  const good = [mail('one@x.test'), mail('two@x.test'), mail('three@x.test')] as const
  const answers = await acceptAll([
    [claim, good[0]],
    [claim, mail('nul\0@x.test')],
    [nobody, mail('ann@x.test')],
    [claim, good[1]],
    [claim, mail('ann@x.test', { inboxId: randomUUID() })],
    [claim, good[2]],
  ])
  assert.deepEqual(answers, [true, 'error', false, true, NotAccepted.name, true])
  for (const { id, content } of good) assert.equal(await contentOf(id), content.toString())
})

test('a message that is handed over twice at the same moment is accepted once', async () => {
  const claim = await newDomain(store, 'doubled.test')
  const once = mail('ann@x.test')
  assert.deepEqual(await acceptAll([once, once, once].map((each) => [claim, each])), [
    true,
    true,
    true,
  ])
  const rows = await db
    .selectFrom('outgoing_messages')
    .select('id')
    .where('claim_id', '=', claim.claimId)
    .execute()
  assert.deepEqual(rows, [{ id: once.id }])
})

test('no more than its limit of an inbox, however many come at once, and its neighbour sends', async () => {
  const claim = await newDomain(store, 'limited.test')
  const neighbour = await newDomain(store, 'neighbour.test')
  const [limited, free] = [
    await newInbox(store, claim, 'kim', 3),
    await newInbox(store, neighbour, 'kim'),
  ]
  const answers = await acceptAll([
    ...Array.from({ length: 8 }, (_, n): [Claim, OutgoingMail] => [
      claim,
      mail(`n${n}@x.test`, { inboxId: limited }),
    ]),
    ...Array.from({ length: 8 }, (_, n): [Claim, OutgoingMail] => [
      neighbour,
      mail(`n${n}@x.test`, { inboxId: free }),
    ]),
  ])
  assert.equal(answers.slice(0, 8).filter((answer) => answer === true).length, 3)
  assert.equal(answers.slice(0, 8).filter((answer) => answer === NotAccepted.name).length, 5)
  assert.deepEqual(answers.slice(8), Array.from({ length: 8 }).fill(true))
})

test('no more than the limit of the workspace, however many come at once', async () => {
  const claim = await newDomain(store, 'workspace.test')
  const before = await db
    .selectFrom('outgoing_messages')
    .select(db.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  const limits = { workspace: Number(before.count) + 4, installation: 0 }
  const all = Array.from({ length: 9 }, (_, n): [Claim, OutgoingMail] => [
    claim,
    mail(`n${n}@x.test`),
  ])
  const answers = await acceptAll(all, { ...EMBEDDED, limits })
  assert.equal(answers.filter((answer) => answer === true).length, 4)
})
