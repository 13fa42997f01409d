/** The test message where mail goes out through others, comes in at others, or nowhere. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { conditionOf, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { startOutside } from '../outside.ts'

describe('a subscription whose sends are used up', async () => {
  const outside = await startOutside({ sendsPerHour: 2 })
  after(() => outside[Symbol.asyncDispose]())
  const house = await testHouse(outside.settings)
  after(() => house[Symbol.asyncDispose]())
  outside.bind(house)
  const { client } = house

  test('fails no domain: the third waits, and says for what', async () => {
    const ids: string[] = []
    for (const name of ['one.test', 'two.test', 'three.test']) {
      const { body } = await client.post('/domains', {
        domain: name,
        providers: { sender: 'azure-west' },
      })
      await client.delegate(name, body.nameservers)
      ids.push(body.domain_id)
    }
    const look = () => Promise.all(ids.map(async (id) => (await client.get(`/domains/${id}`)).body))
    const seen = await until(
      look,
      (domains) => domains.filter(({ status }) => status === 'ACTIVE').length === 2,
    )
    const waiting = seen.find(({ status }) => status !== 'ACTIVE')!
    const told = await client.untilDomain(waiting.domain_id, (domain) =>
      /Azure has had enough requests/.test(conditionOf(domain, 'mail_proven').message),
    )
    assert.equal(told.status, 'SERVICES_CONFIGURING')
    assert.equal(told.failure, null)
    assert.equal(conditionOf(told, 'mail_proven').status, 'waiting')
    const nextLook = Date.parse(conditionOf(told, 'mail_proven').next_check_at)
    assert.ok(nextLook - Date.now() > 10 * 60_000, 'it is not asked again before Azure said it may')
  })
})

describe('an installation that no mail from outside reaches', async () => {
  const outside = await startOutside()
  after(() => outside[Symbol.asyncDispose]())
  const house = await testHouse({ ...outside.settings, MAILSTEAD_RECEIVES_MAIL: 'false' })
  after(() => house[Symbol.asyncDispose]())
  outside.bind(house)

  test('says that nothing is proven, and sends no test message', async () => {
    const { client } = house
    const providers = { sender: 'azure-west', mailbox: 'mail-1' }
    const { body } = await client.post('/domains', { domain: 'mute.test', providers })
    await client.delegate('mute.test', body.nameservers)
    const domain = await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
    const { status, reason, message } = conditionOf(domain, 'mail_proven')
    assert.deepEqual([status, reason], ['not_applicable', 'not_proven'])
    assert.match(message, /^Not proven:/)
    assert.deepEqual(outside.azure.sent, [])
  })
})
