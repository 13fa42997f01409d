/** Any zone host with any sender and any mailbox service: all of them at once, in one house. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { conditionOf, type Json } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'
import { NOTHING_LEFT, startOutside } from '../outside.ts'
import { withoutPdns } from '../pdns.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse(outside.settings)
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client } = house

const ZONES = withoutPdns ? ['embedded', 'cf'] : ['embedded', 'pdns', 'cf']
const SENDERS = ['embedded', 'azure-west']
const MAILBOXES = ['embedded', 'mail-1']
const MATRIX = ZONES.flatMap((dns) =>
  SENDERS.flatMap((sender) => MAILBOXES.map((mailbox) => ({ dns, sender, mailbox }))),
)

if (withoutPdns) test('the rows with PowerDNS', { skip: withoutPdns })

describe('every zone host with every sender and every mailbox service', {
  concurrency: true,
}, () => {
  for (const providers of MATRIX) {
    const { dns, sender, mailbox } = providers
    test(`${dns} × ${sender} × ${mailbox} reaches ACTIVE, takes an inbox, and is removed`, async () => {
      const name = `${dns}-${sender}-${mailbox}.test`
      const added = await client.post('/domains', { domain: name, providers })
      assert.equal(added.status, 201)
      const { domain_id: id, nameservers } = added.body
      assert.equal(nameservers.length, 2)
      await client.delegate(name, nameservers)
      const active = await client.untilDomain(id, ({ status }) => status === 'ACTIVE')
      assert.deepEqual(active.providers, providers)
      assert.equal(conditionOf(active, 'mail_proven').status, 'met')
      const published: string[] = active.dns_records.map((record: Json) => record.status)
      assert.ok(published.every((status) => status === 'published'))
      const inbox = await client.post('/sender-accounts/coldsend-native', {
        domain_id: id,
        email_prefix: 'kim',
        display_name: 'Kim Lee',
      })
      assert.deepEqual([inbox.status, inbox.body.overall_status], [201, 'ACTIVE'])
      await client.undelegate(name)
      await client.delete(`/domains/${id}`)
      await client.untilRemoval(id, 'done')
    })
  }
})

test('afterwards nothing is left anywhere', async () => {
  assert.deepEqual(await outside.left(), NOTHING_LEFT)
})

test('Azure and Mailcow in one domain: one SPF policy, the DKIM keys of both', async () => {
  const providers = { sender: 'azure-west', mailbox: 'mail-1' }
  const { body: added } = await client.post('/domains', { domain: 'acme.test', providers })
  await client.delegate('acme.test', added.nameservers)
  const domain = await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
  const records: Json[] = domain.dns_records
  const of = (purpose: string) => records.filter((record) => record.purpose === purpose)
  assert.deepEqual(
    of('spf').map(({ value }) => value),
    ['v=spf1 include:spf.azurecomm.test mx -all'],
  )
  assert.deepEqual(
    of('dkim')
      .map(({ name, type }) => `${name} ${type}`)
      .toSorted(),
    [
      'dkim._domainkey.acme.test TXT',
      'selector1-azurecomm-prod-net._domainkey.acme.test CNAME',
      'selector2-azurecomm-prod-net._domainkey.acme.test CNAME',
    ],
  )
  const apex = await ask(house.dns, 'acme.test', 'TXT')
  const texts = apex.answers.map(({ data }) => [data].flat().map(String).join(''))
  assert.equal(texts.filter((text) => text.startsWith('v=spf1')).length, 1)
  assert.ok(texts.some((text) => text.startsWith('ms-domain-verification=')))
})

test('an account that is not configured is refused, with those that are', async () => {
  const { status, body } = await client.post('/domains', {
    domain: 'nowhere.test',
    providers: { sender: 'azure-east' },
  })
  assert.equal(status, 422)
  assert.deepEqual(body.detail, [
    {
      loc: ['body', 'providers', 'sender'],
      msg: 'there is no such account here; there are embedded, azure-west',
      type: 'value_error.account',
    },
  ])
})
