/** How many workspaces may wait for one name, and which of them count. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Answer, Client, Json } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { refuses, tally } from './expect.ts'

const LIMIT = 3
const house = await testHouse({ MAILSTEAD_PENDING_CLAIMS_PER_NAME: String(LIMIT) })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const DAY_MS = 86_400_000
const daysAgo = (days: number): Date => new Date(Date.now() - days * DAY_MS)
type Claimant = { by: Client; domain: Json }

const stranger = () => house.clientOf({ workspace: anotherWorkspace() })
const add = (by: Client, domain: string): Promise<Answer> => by.post('/domains', { domain })

async function claimants(name: string, count = LIMIT): Promise<Claimant[]> {
  const all: Claimant[] = []
  for (let each = 0; each < count; each += 1) {
    const by = await stranger()
    const { status, body } = await add(by, name)
    assert.equal(status, 201, JSON.stringify(body))
    all.push({ by, domain: body })
  }
  return all
}

/** As if they had been added so long ago. */
const age = (ids: readonly string[], days: number) =>
  store.db
    .updateTable('domains')
    .set({ created_at: daysAgo(days) })
    .where('id', 'in', ids)
    .execute()
const idsOf = (all: readonly Claimant[]): string[] => all.map(({ domain }) => domain.domain_id)

// biome-ignore format: a table
const AGES: readonly [what: string, days: number, status: number][] = [
  ['are a week and a minute old', 7 + 1 / 1440, 201],
  ['are a month old',             30,           201],
  ['are a minute short of a week', 7 - 1 / 1440, 409],
  ['are a day old',               1,            409],
]

for (const [index, [what, days, status]] of AGES.entries()) {
  test(`of ${LIMIT} claims that were never delegated, those that ${what} leave room: ${status === 201}`, async () => {
    const name = `aged${index}.test`
    const all = await claimants(name)
    refuses(await add(client, name), 409, 'too_many_claims')
    await age(idsOf(all).slice(0, 1), days)
    const answer = await add(client, name)
    assert.equal(answer.status, status)
    if (status === 409) return refuses(answer, 409, 'too_many_claims')
    assert.equal(answer.body.nameservers.length, 2)
    const pairs = new Set(
      [...all.map(({ domain }) => domain), answer.body].map((d) => d.nameservers.join()),
    )
    assert.equal(pairs.size, LIMIT + 1, 'and none of their pairs is given to another')
    refuses(await add(await stranger(), name), 409, 'too_many_claims')
  })
}

test('claims that failed leave room for the owner, who becomes active', async () => {
  const name = 'failed.test'
  await client.misbehave(name, 'zone_ready', 'rejected', 1000)
  const all = await claimants(name)
  for (const { by, domain } of all)
    await by.untilDomain(domain.domain_id, ({ status }) => status === 'FAILED')
  await client.sandbox('DELETE', `/outcomes/${name}`)
  const { status } = await client.addActive(name)
  assert.equal(status, 'ACTIVE')
})

test('one that failed and is tried again counts again', async () => {
  const name = 'retried.test'
  await client.misbehave(name, 'zone_ready', 'rejected', 1000)
  const [first] = await claimants(name, 1)
  const { by, domain } = first!
  await by.untilDomain(domain.domain_id, ({ status }) => status === 'FAILED')
  await client.sandbox('DELETE', `/outcomes/${name}`)
  await claimants(name, LIMIT - 1)
  await by.post(`/domains/${domain.domain_id}/activate`)
  await by.untilDomain(domain.domain_id, ({ status }) => status === 'DNS_PENDING')
  refuses(await add(client, name), 409, 'too_many_claims')
})

test('one that holds the name does not count beside those that wait', async () => {
  const name = 'shown.test'
  const holder = await stranger()
  await holder.addActive(name)
  await claimants(name)
  refuses(await add(client, name), 409, 'too_many_claims')
})

test('an aged claim is no lesser claim: once it is delegated, it holds the name', async () => {
  const name = 'late.test'
  const [late] = await claimants(name)
  const { by, domain } = late!
  await age([domain.domain_id], 20)
  const owner = await add(client, name)
  assert.equal(owner.status, 201)
  await by.delegate(name, domain.nameservers)
  await by.post(`/domains/${domain.domain_id}/activate`)
  await by.untilDomain(domain.domain_id, ({ status }) => status === 'ACTIVE')
})

test('a workspace that adds an aged name of its own again counts from then on', async () => {
  const name = 'renewed.test'
  const [first] = await claimants(name)
  const { by, domain } = first!
  await age([domain.domain_id], 20)
  await by.delete(`/domains/${domain.domain_id}`)
  await by.untilRemoval(domain.domain_id, 'done')
  assert.equal((await add(by, name)).status, 201)
  refuses(await add(client, name), 409, 'too_many_claims')
})

test('of many that come at once where all have aged, no more than the limit are let in', async () => {
  const name = 'rush.test'
  await age(idsOf(await claimants(name)), 8)
  const many = await Promise.all(Array.from({ length: 12 }, stranger))
  const answers = await Promise.all(many.map((by) => add(by, name)))
  assert.deepEqual(tally(answers), { 201: LIMIT, 409: 12 - LIMIT })
})
