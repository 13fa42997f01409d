import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { wakeRow } from '#engine/due-rows.ts'
import { DOMAINS } from '#store/due-tables.ts'
import { newId } from '../../src/ids.ts'
import { until } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'
import { smtpReply } from '../smtp.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

/** What is left of a name at our providers. */
async function leftOf(name: string) {
  const count = async (table: 'zones' | 'sender_domains' | 'mail_domains') =>
    (await store.db.selectFrom(table).select('claim_id').where('name', '=', name).execute()).length
  return {
    zones: await count('zones'),
    senders: await count('sender_domains'),
    mailDomains: await count('mail_domains'),
  }
}
const NOTHING = { zones: 0, senders: 0, mailDomains: 0 }

test('removed while pending: gone at once, and nothing was ever made for it', async () => {
  const { body: added } = await client.post('/domains', { domain: 'pending.test' })
  const { status, body } = await client.delete(`/domains/${added.domain_id}`)
  assert.equal(status, 200)
  assert.equal(body.deleted, true)
  assert.equal((await client.get(`/domains/${added.domain_id}`)).status, 404)
  await client.untilRemoval(added.domain_id, 'done')
  assert.deepEqual(await leftOf('pending.test'), NOTHING)
  await until(
    () => ask(house.dns, 'pending.test', 'SOA'),
    ({ rcode }) => rcode === 'REFUSED',
  )
})

test('removed while active: a tombstone stands until the parent no longer points at us', async () => {
  const added = await client.addActive('leaving.test')
  const inbox = await client.post('/sender-accounts/coldsend-native', {
    domain_id: added.domain_id,
    email_prefix: 'kim',
    display_name: 'Kim',
  })
  assert.equal(await smtpReply(house.smtp, 'kim@leaving.test'), 250)
  await client.delete(`/domains/${added.domain_id}`)
  assert.equal((await client.get(`/domains/${added.domain_id}`)).status, 404)
  assert.equal((await client.get('/domains?search=leaving')).body.domains.length, 0)
  assert.equal((await client.get('/sender-accounts?search=leaving')).body.sender_accounts.length, 0)
  const test = await client.post(`/sender-accounts/${inbox.body.inbox_id}/test-email`, {
    recipient_email: 'x@inbox.test',
  })
  assert.equal(test.status, 404)

  const removal = await client.untilRemoval(added.domain_id, 'tombstone')
  assert.ok(
    removal.steps.every(
      ({ what, state }: { what: string; state: string }) =>
        what === 'zone_ready' || state === 'removed',
    ),
  )
  assert.deepEqual(await leftOf('leaving.test'), { zones: 1, senders: 0, mailDomains: 0 })
  assert.equal(
    await smtpReply(house.smtp, 'kim@leaving.test'),
    450,
    'mail in flight is put off, not bounced',
  )
  assert.equal((await ask(house.dns, 'leaving.test', 'MX')).answers.length, 1)
  const dkim = added.dns_records.find(({ purpose }: { purpose: string }) => purpose === 'dkim')
  assert.equal(
    (await ask(house.dns, dkim.name, 'TXT')).answers.length,
    1,
    'mail in flight can still be verified',
  )

  await client.undelegate('leaving.test')
  await client.untilRemoval(added.domain_id, 'done')
  assert.deepEqual(await leftOf('leaving.test'), NOTHING)
  assert.equal(await smtpReply(house.smtp, 'kim@leaving.test'), 550)
  await until(
    () => ask(house.dns, 'leaving.test', 'SOA'),
    ({ rcode }) => rcode === 'REFUSED',
  )
})

test('after a week, the tombstone says that no mail comes or goes', async () => {
  const added = await client.addActive('old.test')
  await client.delete(`/domains/${added.domain_id}`)
  await client.untilRemoval(added.domain_id, 'tombstone')
  await store.db
    .updateTable('domains')
    .set({ removal_requested_at: sql`now() - interval '8 days'` })
    .where('id', '=', added.domain_id)
    .execute()
  await wakeRow(store.db, DOMAINS, added.domain_id)
  const texts = (answers: { data: unknown }[]) =>
    answers.map(({ data }) => [data].flat().map(String).join(''))
  await until(
    () => ask(house.dns, 'old.test', 'TXT'),
    ({ answers }) => texts(answers).includes('v=spf1 -all'),
  )
  const mx = await ask(house.dns, 'old.test', 'MX')
  assert.deepEqual(
    mx.answers.map(({ data }) => (data as { preference: number }).preference),
    [0],
  )
  const dkim = added.dns_records.find(({ purpose }: { purpose: string }) => purpose === 'dkim')
  assert.deepEqual(texts((await ask(house.dns, dkim.name, 'TXT')).answers), ['v=DKIM1; k=rsa; p='])
  assert.match(texts((await ask(house.dns, '_dmarc.old.test', 'TXT')).answers)[0]!, /p=reject/)
})

test('removed while its providers refuse: it is out of the lists at once, and goes when they let it', async () => {
  const added = await client.addActive('stuck.test')
  await client.undelegate('stuck.test')
  await client.misbehave('stuck.test', 'mail_domain_ready', 'unavailable', 2)
  await client.misbehave('stuck.test', 'sender_registered', 'rejected', 2)
  await client.misbehave('stuck.test', 'zone_ready', 'throttled', 1)
  assert.equal((await client.delete(`/domains/${added.domain_id}`)).status, 200)
  assert.equal((await client.get(`/domains/${added.domain_id}`)).status, 404)
  const again = await client.post('/domains', { domain: 'stuck.test' })
  assert.equal(again.status, 409)
  assert.equal(again.body.error, 'domain_being_removed')
  await client.untilRemoval(added.domain_id, 'done')
  assert.deepEqual(await leftOf('stuck.test'), NOTHING)
})

test('refused while an active campaign uses one of its inboxes', async () => {
  const added = await client.addActive('busy.test')
  const { body: inbox } = await client.post('/sender-accounts/coldsend-native', {
    domain_id: added.domain_id,
    email_prefix: 'kim',
    display_name: 'Kim',
  })
  const { workspace_id } = await store.db
    .selectFrom('domains')
    .select('workspace_id')
    .where('id', '=', added.domain_id)
    .executeTakeFirstOrThrow()
  const campaign = {
    id: newId(),
    workspace_id,
    world: 'sandbox' as const,
    name: 'Spring',
    status: 'ACTIVE',
  }
  await store.db.insertInto('campaigns').values(campaign).execute()
  await store.db
    .insertInto('campaign_inboxes')
    .values({ campaign_id: campaign.id, inbox_id: inbox.inbox_id })
    .execute()

  const refused = await client.delete(`/domains/${added.domain_id}`)
  assert.equal(refused.status, 409)
  assert.equal(refused.body.error, 'domain_in_use')
  assert.deepEqual(refused.body.blockers, [
    { type: 'campaign', id: campaign.id, name: 'Spring', status: 'ACTIVE' },
  ])
  assert.equal((await client.get(`/domains/${added.domain_id}`)).body.status, 'ACTIVE')

  await store.db
    .updateTable('campaigns')
    .set({ status: 'PAUSED' })
    .where('id', '=', campaign.id)
    .execute()
  assert.equal((await client.delete(`/domains/${added.domain_id}`)).status, 200)
})

test('a name that was removed can be added again, with another pair', async () => {
  const first = await client.addActive('phoenix.test')
  await client.delete(`/domains/${first.domain_id}`)
  await client.untilRemoval(first.domain_id, 'tombstone')
  const { body: second } = await client.post('/domains', { domain: 'phoenix.test' })
  assert.notDeepEqual(second.nameservers, first.nameservers)
  await client.delegate('phoenix.test', second.nameservers)
  await client.untilDomain(second.domain_id, ({ status }) => status === 'ACTIVE')
  await client.untilRemoval(first.domain_id, 'done')
  assert.equal((await leftOf('phoenix.test')).zones, 1)
  assert.equal((await ask(house.dns, 'phoenix.test', 'MX')).answers.length, 1)
})

test('removed while the parent cannot be asked: the services go, and the zone stays until it can', async () => {
  const added = await client.addActive('mute.test')
  await client.misbehave('mute.test', 'delegated', 'rejected', 100_000)
  await client.delete(`/domains/${added.domain_id}`)
  await client.untilRemoval(added.domain_id, 'tombstone')
  assert.deepEqual(await leftOf('mute.test'), { zones: 1, senders: 0, mailDomains: 0 })
  await client.undelegate('mute.test')
  await client.sandbox('DELETE', '/outcomes/mute.test')
  await client.untilRemoval(added.domain_id, 'done')
})

test('a tombstone ends when another pair takes its place, though the two share a name', async () => {
  const first = await client.addActive('shared.test')
  await client.delete(`/domains/${first.domain_id}`)
  await client.untilRemoval(first.domain_id, 'tombstone')
  const { body: second } = await client.post('/domains', { domain: 'shared.test' })
  const other = ['ada', 'bob', 'eva'].map((label) => `${label}.ns.mailstead.test`)
  const pair = [first.nameservers[0], other.find((name) => !first.nameservers.includes(name))!]
  await givePair(second.domain_id, pair.toSorted())
  await client.delegate('shared.test', pair)
  await client.untilDomain(second.domain_id, ({ status }) => status === 'ACTIVE')
  await client.untilRemoval(first.domain_id, 'done')
})

/** As if just these two names had been drawn. */
async function givePair(domainId: string, nameservers: string[]): Promise<void> {
  const { id } = await store.db
    .updateTable('claims')
    .set({ nameservers })
    .where('domain_id', '=', domainId)
    .returning('id')
    .executeTakeFirstOrThrow()
  await store.db.updateTable('zones').set({ nameservers }).where('claim_id', '=', id).execute()
}
