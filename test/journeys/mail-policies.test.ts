/** The customer's own SPF and DMARC policies, which are partly kept elsewhere and often wrong. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { conditionOf, type Json, until } from '../client.ts'
import { callsTo, makeZone } from '../cloudflare.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'
import { startOutside } from '../outside.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse(outside.settings)
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client } = house
const { cloudflare } = outside

const OURS = 'include:_spf.mx.mailstead.test'

const txt = (name: string, content: string) => ({ type: 'TXT', name, content, ttl: 60 })

/** A zone at another host. Gives a way to change the one value of a name. */
async function serveElsewhere(name: string, ...records: { name: string }[]) {
  const { id, nameservers, recordIds } = await makeZone(cloudflare, name, records)
  await client.delegate(name, nameservers)
  return (label: string, content: string) => {
    const recordId = recordIds[records.findIndex((record) => record.name === label)]
    return callsTo(cloudflare)('PATCH', `/zones/${id}/dns_records/${recordId}`, { content })
  }
}

/** Moves a name here whose zone at its old host has these records. */
async function moveIn(name: string, ...records: { name: string }[]): Promise<string> {
  await serveElsewhere(name, ...records)
  const { body } = await client.post('/domains', { domain: name })
  await client.delegate(name, body.nameservers)
  return body.domain_id
}

const withPolicy = (name: string, policy: string) => moveIn(name, txt('@', policy))

async function policiesOf(name: string): Promise<string[]> {
  const { answers } = await ask(house.dns, name, 'TXT')
  const texts = answers.map(({ data }) => [data].flat().map(String).join(''))
  return texts.filter((text) => text.startsWith('v=spf1'))
}

const untilPolicies = (name: string, ...policies: string[]) =>
  until(
    () => policiesOf(name),
    (seen) => isDeepStrictEqual(seen, policies),
  )

const published = (domain: Json) => conditionOf(domain, 'records_published')
const untilPublished = (id: string, isWanted: (condition: Json) => boolean) =>
  client.untilDomain(id, (domain) => isWanted(published(domain)))
const untilActive = (id: string) => client.untilDomain(id, ({ status }) => status === 'ACTIVE')

async function replaceOwn(id: string, was: string, value: string): Promise<void> {
  const { body } = await client.get(`/domains/${id}/records`)
  const { record_id } = body.records.find((record: Json) => record.value.includes(was))
  await client.request('PUT', `/api/public/v1/domains/${id}/records/${record_id}`, { value })
}

/** A policy at `<label>.vendor.test` that costs so many look-ups beside the one that leads to it. */
const costing = (label: string, lookups: number) => {
  const leaves = Array.from({ length: lookups }, (_, index) => `include:leaf${index}.vendor.test`)
  return txt(label, ['v=spf1', ...leaves, '-all'].join(' '))
}
const LEAVES = Array.from({ length: 10 }, (_, index) => txt(`leaf${index}`, 'v=spf1 -all'))

const changeVendor = await serveElsewhere(
  'vendor.test',
  ...LEAVES,
  costing('none', 0),
  costing('three', 3),
  costing('five', 5),
  costing('grows', 4),
  txt('looped', 'v=spf1 include:back.vendor.test -all'),
  txt('back', 'v=spf1 redirect=looped.vendor.test'),
  txt('wrong', 'v=spf1 ipv4:192.0.2.1 -all'),
)

describe('an SPF policy that is brought along', () => {
  test('whose nested look-ups are ten already is told too long before ours is added, with what costs how much', async () => {
    const policy = 'v=spf1 include:three.vendor.test include:five.vendor.test -all'
    const id = await withPolicy('nested.test', policy)
    const { failure } = await client.untilDomain(id, ({ status }) => status === 'FAILED')
    assert.deepEqual([failure.stage, failure.reason], ['records_published', 'spf_too_long'])
    assert.match(failure.message, /of nested\.test takes 11 look-ups/)
    assert.match(
      failure.message,
      /include:five\.vendor\.test \(6\), include:three\.vendor\.test \(4\)/,
    )
    assert.ok(!failure.message.includes('mailstead'), failure.message)
    assert.deepEqual(await policiesOf('nested.test'), [policy], 'it stays as it was')

    await replaceOwn(id, 'v=spf1', 'v=spf1 include:five.vendor.test -all')
    await client.post(`/domains/${id}/retry`)
    await untilActive(id)
    await untilPolicies('nested.test', `v=spf1 ${OURS} include:five.vendor.test -all`)
  })

  test('that leads back to itself is told too long', async () => {
    const id = await withPolicy('loop.test', 'v=spf1 include:looped.vendor.test -all')
    const { failure } = await client.untilDomain(id, ({ status }) => status === 'FAILED')
    assert.equal(failure.reason, 'spf_too_long')
    assert.match(failure.message, /never ends/)
    assert.match(failure.message, /include:looped\.vendor\.test \(without end\)/)
  })

  test('is watched: when an include grows the condition says so, and when it shrinks all is well again', async () => {
    const id = await withPolicy('watched.test', 'v=spf1 include:grows.vendor.test -all')
    await untilActive(id)
    const merged = `v=spf1 ${OURS} include:grows.vendor.test -all`
    await untilPolicies('watched.test', merged)

    await changeVendor('grows', costing('grows', 9).content)
    await client.post(`/domains/${id}/check`)
    const grown = await untilPublished(id, ({ status }) => status === 'failed')
    assert.equal(published(grown).reason, 'spf_too_long')
    assert.match(published(grown).message, /takes 11 look-ups.*include:grows\.vendor\.test \(10\)/)
    assert.equal(grown.status, 'ACTIVE', 'ours stands first, so mail of ours still passes')
    assert.deepEqual(await policiesOf('watched.test'), [merged])

    await changeVendor('grows', costing('grows', 4).content)
    await client.post(`/domains/${id}/check`)
    await untilPublished(id, ({ status }) => status === 'met')
  })

  // RFC 7208 section 6.1.
  test('with a redirect beside its “all” is merged without the redirect', async () => {
    const id = await withPolicy(
      'beside.test',
      'v=spf1 ip4:192.0.2.1 redirect=none.vendor.test -all',
    )
    await untilActive(id)
    await untilPolicies('beside.test', `v=spf1 ${OURS} ip4:192.0.2.1 -all`)
  })

  // RFC 7208 section 5.1.
  test('with an include behind its “all” is merged without the include', async () => {
    const id = await withPolicy('behind.test', 'v=spf1 ip4:192.0.2.1 -all include:none.vendor.test')
    await untilActive(id)
    await untilPolicies('behind.test', `v=spf1 ${OURS} ip4:192.0.2.1 -all`)
  })

  test('that has only a redirect goes on passing what the redirect passes', async () => {
    const id = await withPolicy('lone.test', 'v=spf1 redirect=none.vendor.test')
    await untilActive(id)
    await untilPolicies('lone.test', `v=spf1 ${OURS} include:none.vendor.test ~all`)
  })

  test('with broken terms waits for the customer, and each term is named with its reason', async () => {
    const policy = 'v=spf1 ipv4:192.0.2.1 include: mx:bad..name -all'
    const id = await withPolicy('broken.test', policy)
    const waiting = await untilPublished(id, ({ reason }) => reason === 'spf_invalid')
    const { status, waiting_for, message } = published(waiting)
    assert.deepEqual([status, waiting_for], ['waiting', 'customer'])
    assert.match(message, /ipv4:192\.0\.2\.1 \(there is no mechanism "ipv4"; it is written ip4:\)/)
    assert.match(message, /include: \(a colon and a domain must follow it\)/)
    assert.match(message, /mx:bad\.\.name \("bad\.\.name" has an empty label\)/)
    const { body: progress } = await client.get(`/domains/${id}/progress`)
    assert.match(progress.status_message, /ipv4:192\.0\.2\.1/)
    assert.deepEqual(await policiesOf('broken.test'), [policy])

    await replaceOwn(id, 'v=spf1', 'v=spf1 ip4:192.0.2.1 -all')
    await client.post(`/domains/${id}/check`)
    await untilActive(id)
  })

  test('beside another of them waits for the customer, for receivers apply neither', async () => {
    const [one, two] = ['v=spf1 ip4:192.0.2.1 -all', 'v=spf1 ip4:192.0.2.2 -all']
    const id = await moveIn('twice.test', txt('@', one), txt('@', two))
    const waiting = await untilPublished(id, ({ reason }) => reason === 'spf_invalid')
    assert.equal(published(waiting).waiting_for, 'customer')
    for (const policy of [one, two]) assert.ok(published(waiting).message.includes(policy))
  })

  test('whose include leads to a broken policy is told in the timeline, once, and holds nothing up', async () => {
    const id = await withPolicy('leads.test', 'v=spf1 include:wrong.vendor.test -all')
    await untilActive(id)
    await client.post(`/domains/${id}/check`)
    const { events } = (await client.get(`/domains/${id}/events`)).body
    const told = events.filter(({ type }: Json) => type === 'spf.include_broken')
    assert.equal(told.length, 1)
    assert.match(told[0].message, /wrong\.vendor\.test has the broken term ipv4:192\.0\.2\.1/)
  })

  test('whose include cannot be asked has no verdict, and nothing is published before it has one', async () => {
    await client.delegate('mute.test', ['ns1.gone.test', 'ns2.gone.test'])
    const policy = 'v=spf1 include:_spf.mute.test -all'
    const id = await withPolicy('unasked.test', policy)
    const seen = await untilPublished(id, ({ message }) => /do not answer/.test(message ?? ''))
    assert.equal(published(seen).status, 'waiting')
    assert.match(published(seen).message, /_spf\.mute\.test.* in the SPF policy of unasked\.test/)
    assert.deepEqual(await policiesOf('unasked.test'), [policy])
  })
})

describe('an SPF policy whose include cannot be asked any more', () => {
  test('has the verdict it had, and the rest of the domain is looked after', async () => {
    await serveElsewhere('fades.test', txt('_spf', 'v=spf1 ip4:192.0.2.1 -all'))
    const id = await withPolicy('stays.test', 'v=spf1 include:_spf.fades.test -all')
    await untilActive(id)
    await client.delegate('fades.test', ['ns1.gone.test', 'ns2.gone.test'])
    const { body: checked } = await client.post(`/domains/${id}/check`)
    assert.equal(published(checked).status, 'met')
    assert.equal(checked.status, 'ACTIVE')
    assert.ok(!JSON.stringify(checked.conditions).includes('do not answer'))
  })
})

describe('an SPF policy that is added later', () => {
  test('and is broken waits for the customer while what was published stays', async () => {
    const { domain_id: id } = await client.addActive('later.test')
    const before = await policiesOf('later.test')
    assert.equal(before.length, 1)
    const added = await client.post(`/domains/${id}/records`, {
      name: '@',
      type: 'TXT',
      value: 'v=spf1 ip5:192.0.2.1 -all',
    })
    assert.equal(added.status, 201, JSON.stringify(added.body))
    await client.post(`/domains/${id}/check`)
    const waiting = await untilPublished(id, ({ reason }) => reason === 'spf_invalid')
    assert.equal(published(waiting).waiting_for, 'customer')
    assert.equal(waiting.status, 'ACTIVE')
    assert.deepEqual(await policiesOf('later.test'), before)
  })
})

// RFC 9989 section 4.10.
describe('a DMARC policy that is brought along', () => {
  test('beside another of them waits for the customer, for receivers apply neither', async () => {
    const [one, two] = ['v=DMARC1; p=none', 'v=DMARC1; p=reject']
    const id = await moveIn('dmarcs.test', txt('_dmarc', one), txt('_dmarc', two))
    const waiting = await untilPublished(id, ({ reason }) => reason === 'dmarc_invalid')
    assert.equal(published(waiting).waiting_for, 'customer')
    assert.match(published(waiting).message, /_dmarc\.dmarcs\.test.*of 2 DMARC records/)
    for (const policy of [one, two]) assert.ok(published(waiting).message.includes(policy))
  })

  test('as an alias that leads nowhere waits for the customer, and says where it leads', async () => {
    const alias = { type: 'CNAME', name: '_dmarc', content: 'gone.vendor.test', ttl: 60 }
    const id = await moveIn('dangling.test', alias)
    const waiting = await untilPublished(id, ({ reason }) => reason === 'dmarc_invalid')
    assert.equal(published(waiting).waiting_for, 'customer')
    assert.match(published(waiting).message, /alias of gone\.vendor\.test, and there is no DMARC/)
  })

  test('that no receiver applies waits for the customer, and works once it is corrected', async () => {
    const id = await moveIn('misspelt.test', txt('_dmarc', 'v=DMARC1; p=rejected'))
    const waiting = await untilPublished(id, ({ reason }) => reason === 'dmarc_invalid')
    assert.equal(published(waiting).waiting_for, 'customer')
    assert.match(published(waiting).message, /its p= is none of none, quarantine, reject/)
    await replaceOwn(id, 'v=DMARC1', 'v=DMARC1; p=reject')
    await client.post(`/domains/${id}/check`)
    await untilActive(id)
  })
})
