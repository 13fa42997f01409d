/** What somebody made by hand at an outside service, in a domain of ours, is theirs. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testHouse } from '../house.ts'
import { startOutside } from '../outside.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse(outside.settings)
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client } = house

test('a mailbox made by hand outlives every pass, and goes with its domain', async () => {
  const providers = { mailbox: 'mail-1' }
  const { body } = await client.post('/domains', { domain: 'hand.test', providers })
  await client.delegate('hand.test', body.nameservers)
  await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
  const { mailcow } = outside
  await fetch(`${mailcow.url}/api/v1/add/mailbox`, {
    method: 'POST',
    headers: { 'x-api-key': mailcow.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({
      local_part: 'byhand',
      domain: 'hand.test',
      name: 'By hand',
      password: 'Corr3ct-Horse!',
      password2: 'Corr3ct-Horse!',
      quota: 10,
      active: 1,
    }),
  })
  assert.ok(mailcow.holdings().mailboxes.includes('byhand@hand.test'))
  const inbox = { domain_id: body.domain_id, email_prefix: 'kim', display_name: 'Kim' }
  const made = await client.post('/sender-accounts/coldsend-native', inbox)
  assert.equal(made.body.overall_status, 'ACTIVE')
  assert.ok(mailcow.holdings().mailboxes.includes('byhand@hand.test'))
  await client.undelegate('hand.test')
  await client.delete(`/domains/${body.domain_id}`)
  await client.untilRemoval(body.domain_id, 'done')
  assert.deepEqual(mailcow.holdings().mailboxes, [])
})
