/** What looking after an active domain asks of the world outside, by the parent's own log. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { nameserverPool } from '#domains/claims.ts'
import { makeApiKey } from '#names/api-key.ts'
import { startParent } from '../../bench/parent.ts'
import { LABORATORY } from '../api/live.ts'
import { Client, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { freePort } from '../ports.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

const ADDRESS = '127.0.14.5'
const NAME = 'looked-after.test'
/** Of questions at servers of others, in a routine check of a domain that lacks nothing. */
const BUDGET = 3

const pool = nameserverPool(LABORATORY.MAILSTEAD_NAMESERVER_ZONE, [ADDRESS])
const glue = Object.fromEntries(pool.map(({ name, address }) => [name, address]))
const parent = opened.use(await startParent(3, glue))
const key = makeApiKey('live')
const { house, store } = opened.use(
  await testHouse({
    ...LABORATORY,
    MAILSTEAD_BOOTSTRAP_KEY: key,
    MAILSTEAD_DNS_LISTEN: `${ADDRESS}:${await freePort(ADDRESS)}`,
    MAILSTEAD_RECEIVES_MAIL: 'false',
    MAILSTEAD_ROOT_HINTS: parent.endpoints.join(),
    MAILSTEAD_WAIT_MS: '5000',
  }),
)
const client = new Client(house.api!, key)

const epochOf = async (id: string): Promise<number> => {
  const { rows } = await sql<{ epoch: string }>`
    select epoch from domains where id = ${id} and lease_until < now()`.execute(store.db)
  return Number(rows[0]?.epoch ?? 0)
}

test(`a routine check of a healthy domain asks others at most ${BUDGET} questions`, async () => {
  const { body } = await client.post('/domains', { domain: NAME })
  parent.delegate(NAME, body.nameservers)
  await client.post(`/domains/${body.domain_id}/activate`)
  await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
  const before = await until(
    () => epochOf(body.domain_id),
    (epoch) => epoch > 0,
  )
  // Nobody has asked for it lately, and nobody waits.
  await sql`
    update domains set asked_at = now() - interval '1 day', next_at = now()
     where id = ${body.domain_id}`.execute(store.db)
  const asked = parent.log.length
  await until(
    () => epochOf(body.domain_id),
    (epoch) => epoch > before,
  )
  const questions = parent.log.slice(asked).map(({ name, type }) => `${type} ${name}`)
  assert.ok(questions.length <= BUDGET, questions.join(', '))
  assert.ok(questions.includes(`NS ${NAME}`), 'the delegation is asked for anew')
  const checked = await client.get(`/domains/${body.domain_id}`)
  assert.equal(checked.body.status, 'ACTIVE')
})
