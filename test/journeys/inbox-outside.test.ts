/** An inbox at outside services: made, tested, deleted, and made anew, while its domain stays. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { startOutside } from '../outside.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse(outside.settings)
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client } = house

const providers = { sender: 'azure-west', mailbox: 'mail-1' }
const { body: domain } = await client.post('/domains', { domain: 'acme.test', providers })
const { nameservers } = await client.untilDomain(
  domain.domain_id,
  (found) => found.nameservers.length > 0,
)
await client.delegate('acme.test', nameservers)
await client.untilDomain(domain.domain_id, ({ status }) => status === 'ACTIVE')

const add = () =>
  client.post('/sender-accounts/coldsend-native', {
    domain_id: domain.domain_id,
    email_prefix: 'kim',
    display_name: 'Kim Lee',
  })
/** Whether Mailcow has its mailbox, and Azure its sender. */
const stands = async () => {
  const { mailcow, azure } = (await outside.left()) as Json
  const isIts = (each: unknown) => JSON.stringify(each).includes('kim')
  return [mailcow.mailboxes.some(isIts), azure.senders.some(isIts)]
}
const failing = async (inbox: string) => {
  const { body } = await client.post(`/sender-accounts/${inbox}/test`)
  return body.checks.filter(({ passed }: Json) => !passed).map(({ check }: Json) => check)
}

let first = ''

test('an inbox has a mailbox at Mailcow and an identity at Azure', async () => {
  const { status, body } = await add()
  assert.deepEqual([status, body.overall_status], [201, 'ACTIVE'])
  first = body.inbox_id
  assert.deepEqual(await stands(), [true, true])
  assert.deepEqual(await failing(first), [])
})

test('deleted, it loses both, and its address is taken until then', async () => {
  assert.equal((await client.delete(`/sender-accounts/${first}`)).status, 200)
  await until(stands, (there) => !there.some(Boolean))
  const { status } = await client.get(`/domains/${domain.domain_id}`)
  assert.equal(status, 200)
})

test('its address can be used again', async () => {
  const { body } = await until(add, ({ status }) => status === 201)
  assert.notEqual(body.inbox_id, first)
  assert.deepEqual(await stands(), [true, true])
})
