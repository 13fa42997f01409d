/** Messages that come at the same moment are accepted together, and none suffers from another. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { NotAccepted } from '#mail/outgoing/gate.ts'
import type { OutgoingMail } from '#mail/outgoing/mail.ts'
import { testStore } from '../../test/store.ts'
import { decodedContent } from '../mail/content.ts'
import { type Acceptance, acceptMessage } from './accept-messages.ts'
import { ensureWorkspace, FIRST_WORKSPACE } from './api-keys.ts'
import { senderStore } from './sender-domains.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db } = store
await ensureWorkspace(store, FIRST_WORKSPACE, 'a workspace')
const NO_LIMITS = { workspace: 0, installation: 0 }
const EMBEDDED: Acceptance = { world: 'live', account: 'embedded', limits: NO_LIMITS }

type Claim = { claimId: string; name: string; domainId: string }

/** As a pass leaves it: delegated, seen a moment ago, registered. */
async function newDomain(name: string): Promise<Claim> {
  const [domainId, claimId] = [randomUUID(), randomUUID()]
  const tenant = { workspace_id: FIRST_WORKSPACE, world: 'live' as const, name }
  const drivers = { zone_driver: 'embedded', sender_driver: 'embedded', mailbox_driver: 'embedded' }
  await db
    .insertInto('domains')
    .values({ id: domainId, ...tenant, ...drivers })
    .execute()
  await db
    .insertInto('claims')
    .values({ id: claimId, domain_id: domainId, ...tenant })
    .execute()
  await db.insertInto('holders').values({ world: 'live', name, claim_id: claimId }).execute()
  const met = { verdict: 'met', since: new Date(), last_look_at: new Date() }
  for (const type of ['delegated', 'sender_registered'])
    await db
      .insertInto('conditions')
      .values({ domain_id: domainId, type, ...met })
      .execute()
  await senderStore(store, 'live', NO_LIMITS).register({ claimId, name, nameservers: [] })
  return { claimId, name, domainId }
}

async function newInbox({ domainId }: Claim, dailyLimit: number): Promise<string> {
  const id = randomUUID()
  const owner = { workspace_id: FIRST_WORKSPACE, world: 'live' as const, domain_id: domainId }
  await db
    .insertInto('inboxes')
    .values({
      id,
      ...owner,
      localpart: 'kim',
      address: 'kim@limited.test',
      display_name: 'Kim',
      daily_limit: dailyLimit,
    })
    .execute()
  return id
}

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
  const claim = await newDomain('many.test')
  const big = Buffer.from(`To: big@x.test\r\n\r\n${randomUUID().repeat(60_000)}\r\n`)
  const all = Array.from({ length: 70 }, (_, n) => mail(`n${n}@x.test`))
  all.push(mail('big@x.test', { content: big }), mail('empty@x.test', { content: Buffer.alloc(0) }))
  assert.deepEqual(new Set(await acceptAll(all.map((each) => [claim, each]))), new Set([true]))
  for (const { id, content } of all) assert.equal(await contentOf(id), content.toString())
})

test('one that the database refuses, one of no claim and one of a removed inbox harm nobody else', async () => {
  const claim = await newDomain('beside.test')
  const nobody = { claimId: randomUUID(), name: 'nobody.test', domainId: randomUUID() }
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
  const claim = await newDomain('doubled.test')
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
  const claim = await newDomain('limited.test')
  const neighbour = await newDomain('neighbour.test')
  const [limited, free] = [await newInbox(claim, 3), await newInbox(neighbour, 100)]
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
  const claim = await newDomain('workspace.test')
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
