/** How much mail is kept: of an inbox, a domain and a workspace, and on a disk. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { dropOldMail } from '#store/mail-retention.ts'
import { type Client, type Json, until } from '../client.ts'
import { temporaryDirectory } from '../directories.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { startProduct } from '../product.ts'
import { sendMail, smtpReply } from '../smtp.ts'

async function addInbox(of: Client, domain: Json, prefix: string): Promise<void> {
  const wish = { domain_id: domain.domain_id, email_prefix: prefix, display_name: prefix }
  const { body } = await of.post('/sender-accounts/coldsend-native', wish)
  await until(
    async () =>
      (await of.get(`/sender-accounts?domain_id=${domain.domain_id}`)).body.sender_accounts,
    (found) =>
      found.some((one: Json) => one.inbox_id === body.inbox_id && one.overall_status === 'ACTIVE'),
  )
}

/** Of 0.4 MiB: the third is the first beyond 1 MiB. */
const MAIL = `From: ann@inbox.test\r\nSubject: x\r\n\r\n${'a line of text\r\n'.repeat(26_215)}`

test('an inbox that is full takes no more, its neighbour and the roles do, and room that is made is used', async () => {
  await using house = await testHouse({ MAILSTEAD_QUOTA_PER_INBOX_MB: '1' })
  const { client, store } = house
  const domain = await client.addActive('full.test')
  await Promise.all(['kim', 'lee'].map((prefix) => addInbox(client, domain, prefix)))
  for (let message = 0; message < 3; message++)
    assert.equal(await sendMail(house.smtp, ['kim@full.test'], MAIL), 250)
  assert.equal(await sendMail(house.smtp, ['kim@full.test'], MAIL), 452)
  for (const other of ['lee@full.test', 'postmaster@full.test'])
    assert.equal(await sendMail(house.smtp, [other], MAIL), 250)
  await sql`update messages set received_at = now() - interval '2 days' where id in (
    select id from messages where localpart = 'kim' limit 1)`.execute(store.db)
  await dropOldMail(store, 1)
  assert.equal(await smtpReply(house.smtp, 'kim@full.test'), 250)
})

test('a domain and a workspace that are full take no more, whichever inbox it is for', async () => {
  await using house = await testHouse({
    MAILSTEAD_QUOTA_PER_DOMAIN_MB: '1',
    MAILSTEAD_QUOTA_PER_WORKSPACE_MB: '2',
  })
  const { client } = house
  const rival = await house.clientOf({ workspace: anotherWorkspace() })
  for (const name of ['one.test', 'two.test', 'three.test']) {
    const domain = await client.addActive(name)
    await Promise.all(['kim', 'lee'].map((prefix) => addInbox(client, domain, prefix)))
  }
  await addInbox(rival, await rival.addActive('rival.test'), 'kim')
  const replies = async (...recipients: string[]) => {
    const codes: number[] = []
    for (const to of recipients) codes.push(await sendMail(house.smtp, [to], MAIL))
    return codes
  }
  const ofOne = ['kim@one.test', 'lee@one.test', 'kim@one.test', 'lee@one.test', 'kim@two.test']
  assert.deepEqual(await replies(...ofOne), [250, 250, 250, 452, 250])
  // The fifth is the first beyond 2 MiB.
  const others = ['kim@two.test', 'lee@three.test', 'kim@rival.test']
  assert.deepEqual(await replies(...others), [250, 452, 250])
})

test('with hardly any room left on the disk no mail is taken, and all else goes on', async () => {
  await using directory = await temporaryDirectory()
  const settings = { MAILSTEAD_LEAST_FREE_SPACE_MB: '99999999' }
  await using product = await startProduct({ dataDir: directory.path, settings })
  assert.equal(await sendMail(product.smtp, ['postmaster@mx.mailstead.test'], MAIL), 452)
  assert.equal((await product.client.get('/domains')).status, 200)
})
