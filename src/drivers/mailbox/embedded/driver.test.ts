import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { mailboxStore } from '#store/mail-domains.ts'
import { testStore } from '../../../../test/store.ts'
import { mailboxDriverConformance } from '../conformance.ts'
import { embeddedMailboxDriver } from './driver.ts'
import { excuses } from './excuses.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db } = store
const driver = embeddedMailboxDriver(mailboxStore(store, 'sandbox'), 'mx.mailstead.test')

const newClaim = () => ({ claimId: randomUUID(), name: 'conformance.example', nameservers: [] })

mailboxDriverConformance(
  'embedded',
  async () => ({
    driver,
    claim: newClaim(),
    rival: newClaim(),
    async [Symbol.asyncDispose]() {},
  }),
  excuses,
)

test('the MX points to the mail host of the installation', async ({ signal }) => {
  assert.deepEqual(await driver.ensureDomain(newClaim(), signal), {
    records: [
      {
        name: 'conformance.example.',
        type: 'MX',
        ttl: 300,
        data: ['10 mx.mailstead.test.'],
        purpose: 'mx',
      },
    ],
  })
})

test('a mail domain belongs to the world of its store', async ({ signal }) => {
  const { claimId, ...claim } = newClaim()
  await driver.ensureDomain({ claimId, ...claim }, signal)
  const row = await db
    .selectFrom('mail_domains')
    .select(['world', 'name'])
    .where('claim_id', '=', claimId)
    .executeTakeFirst()
  assert.deepEqual(row, { world: 'sandbox', name: claim.name })
})

test('removal leaves no mailbox behind in the database', async ({ signal }) => {
  const claim = newClaim()
  const rows = async () =>
    (
      await db
        .selectFrom('mailboxes')
        .select('localpart')
        .where('claim_id', '=', claim.claimId)
        .execute()
    ).length
  await driver.ensureDomain(claim, signal)
  await driver.ensureMailbox(claim, 'kim', signal)
  assert.equal(await rows(), 1)
  await driver.removeDomain(claim, signal)
  assert.equal(await rows(), 0)
})

test('mailboxes are in the order of their octets whatever the collation of the database', async ({
  signal,
}) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  for (const localpart of ['ab', 'a.b', 'a-c']) await driver.ensureMailbox(claim, localpart, signal)
  await sql`alter table mailboxes alter column localpart type text collate "und-x-icu"`.execute(db)
  assert.deepEqual(await driver.listMailboxes(claim, signal), ['a-c', 'a.b', 'ab'])
})
