/** A redirect is the same wherever the zone is hosted: plain records that point to our own server. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { NOTHING_LEFT, startOutside } from '../outside.ts'
import { withoutPdns } from '../pdns.ts'
import { leadsTo } from '../redirect.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const settings = { ...outside.settings, MAILSTEAD_REDIRECT_LISTEN: '127.0.0.1:0' }
const house = await testHouse(settings)
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client } = house

const isOfRedirect = ({ purpose }: Json): boolean => purpose === 'redirect'

for (const dns of withoutPdns ? ['cf'] : ['cf', 'pdns']) {
  test(`a zone at ${dns} gets the records of a redirect, and loses them with it`, async () => {
    const name = `led-${dns}.test`
    const { body } = await client.post('/domains', { domain: name, providers: { dns } })
    await client.delegate(name, body.nameservers)
    await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
    const path = `/domains/${body.domain_id}/redirect`
    assert.equal((await client.post(path, { target_domain: 'company.example' })).status, 200)
    await until(
      async () => (await client.get(path)).body,
      (seen) => seen.setup_completed,
    )
    await until(
      () => leadsTo(house.house.redirect[0]!, name),
      (location) => location === 'https://company.example/',
    )
    await client.delete(path)
    const left = await client.untilDomain(
      body.domain_id,
      ({ dns_records }) => !dns_records.some(isOfRedirect),
    )
    assert.equal(left.status, 'ACTIVE')
    await client.undelegate(name)
    await client.delete(`/domains/${body.domain_id}`)
    await client.untilRemoval(body.domain_id, 'done')
  })
}

test('afterwards nothing is left anywhere', async () => {
  assert.deepEqual(await outside.left(), NOTHING_LEFT)
})
