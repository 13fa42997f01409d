/** A pass that throws what it should not: a bug, or a database that somebody has put their hands on. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { conditionOf } from '../client.ts'
import { testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const faults = () =>
  house.logLines
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg === 'a pass over a domain failed')

test('is shown by the domain, logged with its name, repeated ever more slowly, and holds up no other', async () => {
  // No key pair can be unsealed, as with the secret.key of another installation.
  await sql`update dkim_keypairs set private_key = 'none'`.execute(store.db)
  const { domain_id: id } = await client.addDelegated('broken.test')
  const broken = await client.untilDomain(id, (domain) =>
    /fault of Mailstead/.test(conditionOf(domain, 'sender_registered').message),
  )
  assert.equal(broken.status, 'SERVICES_CONFIGURING')
  assert.match(conditionOf(broken, 'sender_registered').message, /could not be taken/)
  const [first] = faults()
  assert.equal(first.domain, 'broken.test')
  assert.match(first.err.stack, /takeKeyPair/)
  assert.doesNotMatch(JSON.stringify(broken), /takeKeyPair|none/)

  const { rows } = await sql<{ failures: number }>`
    select failures from domains where id = ${id}`.execute(store.db)
  assert.ok(rows[0]!.failures >= 1)

  await sql`delete from dkim_keypairs`.execute(store.db)
  await client.addActive('sound.test')
  await client.post(`/domains/${id}/check`)
  await client.untilDomain(id, ({ status }) => status === 'ACTIVE')
})
