/** A name moves here with a website, mail elsewhere and a wildcard, and nothing that it served breaks. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { sql } from 'kysely'
import type { TypeName } from '#dns/types.ts'
import { wakeRow } from '#engine/due-rows.ts'
import { TOPICS } from '#store/context.ts'
import { DOMAINS } from '#store/due-tables.ts'
import { newId } from '../../src/ids.ts'
import { conditionOf, type Json, until } from '../client.ts'
import { makeZone } from '../cloudflare.ts'
import { ask } from '../dns.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { startOutside } from '../outside.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse(outside.settings)
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client, store } = house
const { cloudflare } = outside
const old = `${cloudflare.dns.address}:${cloudflare.dns.port}`

// biome-ignore format: a table
const SITE = [
  { type: 'A',     name: '@',                  content: '192.0.2.10', ttl: 600 },
  { type: 'AAAA',  name: '@',                  content: '2001:db8::10', ttl: 600 },
  { type: 'A',     name: 'www',                content: '192.0.2.10', ttl: 600 },
  { type: 'CNAME', name: 'shop',               content: 'shops.example.net', ttl: 300 },
  { type: 'A',     name: '*',                  content: '192.0.2.99', ttl: 300 },
  { type: 'MX',    name: '@',                  content: 'mx.example.net', priority: 10, ttl: 300 },
  { type: 'TXT',   name: '@',                  content: '"v=spf1 include:_spf.example.net -all"', ttl: 300 },
  { type: 'TXT',   name: '@',                  content: '"site-verification=abc"', ttl: 300 },
  { type: 'TXT',   name: '_dmarc',             content: '"v=DMARC1; p=quarantine"', ttl: 300 },
  { type: 'TXT',   name: 'google._domainkey',  content: `"v=DKIM1; k=rsa; p=${'A'.repeat(200)}" "${'B'.repeat(192)}"`, ttl: 300 },
  { type: 'CAA',   name: '@',                  data: { flags: 0, tag: 'issue', value: 'ca.example' }, ttl: 300 },
]

async function serveElsewhere(name: string, records: readonly object[] = SITE): Promise<void> {
  const { nameservers } = await makeZone(cloudflare, name, records)
  await client.delegate(name, nameservers)
}

const QUESTIONS: [label: string, type: TypeName][] = [
  ['', 'A'],
  ['', 'AAAA'],
  ['', 'MX'],
  ['', 'TXT'],
  ['', 'CAA'],
  ['www.', 'A'],
  ['shop.', 'CNAME'],
  ['anything.', 'A'],
  ['_dmarc.', 'TXT'],
  ['google._domainkey.', 'TXT'],
]

/** What a server answers to all of them, in an order that can be compared. */
async function answersOf(server: string, name: string): Promise<Record<string, string[]>> {
  const entries = QUESTIONS.map(async ([label, type]) => {
    const { answers } = await ask(server, `${label}${name}`, type)
    const data = answers.map((answer) => textOf(answer.data)).toSorted()
    return [`${label || '@'} ${type}`, data] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

/** Our nameservers follow what the API has answered a moment later. */
const untilServed = (name: string, answers: Record<string, string[]>) =>
  until(
    () => answersOf(house.dns, name),
    (seen) => isDeepStrictEqual(seen, answers),
  )

const textOf = (data: unknown): string =>
  Array.isArray(data)
    ? data.map(String).join('')
    : typeof data === 'string'
      ? data
      : JSON.stringify(data)

/** Removes a domain whose parent still points here, and passes the week of its mail in flight. */
async function removeLongAgo(id: string): Promise<void> {
  assert.equal((await client.delete(`/domains/${id}`)).status, 200)
  await client.untilRemoval(id, 'tombstone')
  await store.db
    .updateTable('domains')
    .set({ removal_requested_at: sql`now() - interval '8 days'` })
    .where('id', '=', id)
    .execute()
  await wakeRow(store.db, DOMAINS, id)
  store.doorbell.ring(TOPICS.domainsDue)
}

describe('a name with a website and mail elsewhere', () => {
  test('is served here as it was, before its nameservers are changed and after', async () => {
    await serveElsewhere('moved.test')
    const before = await answersOf(old, 'moved.test')
    const added = await client.post('/domains', { domain: 'moved.test' })
    const { domain_id: id, nameservers } = added.body
    const { body: imported } = await client.get(`/domains/${id}/import`)
    // This host gives no zone whole, so nobody can know that this is all.
    assert.equal(imported.state, 'incomplete')
    assert.match(imported.message, /may be incomplete.*send the zone file in BIND format/)
    assert.equal(imported.records.length, SITE.length)
    const { dns_records } = (await client.get(`/domains/${id}`)).body
    const mx = dns_records.find(({ type }: Json) => type === 'MX')
    assert.deepEqual(
      [mx.purpose, mx.managed, mx.priority, mx.value],
      ['imported', false, 10, 'mx.example.net.'],
    )
    await client.delegate('moved.test', nameservers)
    await client.untilDomain(id, (domain) => conditionOf(domain, 'delegated').status === 'met')
    await untilServed('moved.test', before)
    const waiting = await client.untilDomain(
      id,
      (domain) => conditionOf(domain, 'records_published').reason === 'mx_in_use',
    )
    assert.equal(waiting.status, 'SERVICES_CONFIGURING')
    const { status_message } = (await client.get(`/domains/${id}/progress`)).body
    assert.match(status_message, /goes to mx\.example\.net; set take_mail/)
    assert.equal(conditionOf(waiting, 'records_published').waiting_for, 'customer')
    assert.match(
      conditionOf(waiting, 'records_published').message,
      /goes to mx\.example\.net; set take_mail/,
    )
    assert.deepEqual(
      await answersOf(house.dns, 'moved.test'),
      before,
      'its mail is left where it is',
    )

    await client.post(`/domains/${id}/import`, { take_mail: true })
    await client.untilDomain(id, ({ status }) => status === 'ACTIVE')
    const after = await answersOf(house.dns, 'moved.test')
    assert.deepEqual(after['@ MX'], ['{"preference":10,"exchange":"mx.mailstead.test"}'])
    const spf = after['@ TXT']!.filter((text) => text.startsWith('v=spf1'))
    assert.deepEqual(spf, ['v=spf1 include:_spf.mx.mailstead.test include:_spf.example.net -all'])
    for (const same of [
      '@ A',
      '@ AAAA',
      '@ CAA',
      'www. A',
      'shop. CNAME',
      'anything. A',
      '_dmarc. TXT',
      'google._domainkey. TXT',
    ]) {
      assert.deepEqual(after[same], before[same], same)
    }
    assert.ok(after['@ TXT']!.includes('site-verification=abc'))
  })

  test('whoever is led here before we have seen it finds what was found, and nothing that was added', async () => {
    await serveElsewhere('early.test')
    const before = await answersOf(old, 'early.test')
    const { body: added } = await client.post('/domains', { domain: 'early.test' })
    await untilServed('early.test', before)
    const records = `/domains/${added.domain_id}/records`
    await client.post(records, { name: 'trap', type: 'A', value: '192.0.2.66' })
    const { body } = await client.get(records)
    const www = body.records.find(
      ({ name, type }: Json) => name === 'www.early.test' && type === 'A',
    )
    await client.request('PUT', `/api/public/v1${records}/${www.record_id}`, {
      value: '192.0.2.66',
    })
    await client.post(`/domains/${added.domain_id}/check`)
    const shown = async (name: string) =>
      (await ask(house.dns, name, 'A')).answers.map(({ data }) => textOf(data))
    assert.deepEqual(await shown('trap.early.test'), ['192.0.2.99'], 'the wildcard that was found')
    assert.deepEqual(await shown('www.early.test'), ['192.0.2.10'])
    await client.delegate('early.test', added.nameservers)
    await until(
      () => shown('trap.early.test'),
      ([address]) => address === '192.0.2.66',
    )
  })

  test('nor does another claim on the name change what is found', async () => {
    await serveElsewhere('claimed.test')
    const before = await answersOf(old, 'claimed.test')
    const rival = await house.clientOf({ workspace: anotherWorkspace() })
    const { body: first } = await rival.post('/domains', { domain: 'claimed.test' })
    await untilServed('claimed.test', before)
    const { records } = (await rival.get(`/domains/${first.domain_id}/import`)).body
    const drop = records.map(({ record_id }: Json) => record_id)
    await rival.post(`/domains/${first.domain_id}/import`, { drop })
    await rival.post(`/domains/${first.domain_id}/check`)
    assert.deepEqual(await answersOf(house.dns, 'claimed.test'), before)
    const empty = { domain: 'claimed.test', import_records: false }
    await (await house.clientOf({ workspace: anotherWorkspace() })).post('/domains', empty)
    assert.deepEqual(await answersOf(house.dns, 'claimed.test'), before)
  })

  test('an SPF policy that would be too long with ours fails, says what to shorten, and stays as it was', async () => {
    const labels = Array.from({ length: 10 }, (_, index) => `spf${index}`)
    const includes = labels.map((label) => `include:${label}.senders.test`)
    const leaf = (name: string) => ({ type: 'TXT', name, content: 'v=spf1 -all', ttl: 300 })
    await serveElsewhere('senders.test', labels.map(leaf))
    const policy = `v=spf1 ${includes.join(' ')} -all`
    await serveElsewhere('long.test', [{ type: 'TXT', name: '@', content: policy, ttl: 300 }])
    const { body: added } = await client.post('/domains', { domain: 'long.test' })
    await client.delegate('long.test', added.nameservers)
    const failed = await client.untilDomain(added.domain_id, ({ status }) => status === 'FAILED')
    const { stage, reason, message } = failed.failure
    assert.deepEqual([stage, reason], ['records_published', 'spf_too_long'])
    assert.match(
      message,
      /of long\.test takes 11 look-ups.* take 1 at least out of your own, and retry: /,
    )
    for (const include of includes) assert.ok(message.includes(include))
    const policies = async () => (await answersOf(house.dns, 'long.test'))['@ TXT']
    assert.deepEqual(await policies(), [policy])

    const records = `/domains/${added.domain_id}/records`
    const { body } = await client.get(records)
    const { record_id } = body.records.find(({ value }: Json) => value.includes('spf9.senders'))
    const value = `v=spf1 ${includes.slice(1).join(' ')} -all`
    await client.request('PUT', `/api/public/v1${records}/${record_id}`, { value })
    await client.post(`/domains/${added.domain_id}/retry`)
    await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
    const merged = `v=spf1 include:_spf.mx.mailstead.test ${includes.slice(1).join(' ')} -all`
    await until(policies, (seen) => isDeepStrictEqual(seen, [merged]))
  })

  test('without an import it comes here empty', async () => {
    await serveElsewhere('bare.test')
    const { body } = await client.post('/domains', { domain: 'bare.test', import_records: false })
    const { body: imported } = await client.get(`/domains/${body.domain_id}/import`)
    assert.deepEqual([imported.state, imported.records], ['none', []])
  })

  test('mail that comes here already waits for no word, and goes on coming when that record is dropped', async () => {
    const mx = { type: 'MX', name: '@', content: 'mx.mailstead.test', priority: 10, ttl: 300 }
    await serveElsewhere('ready.test', [mx])
    const { body } = await client.post('/domains', { domain: 'ready.test' })
    await client.delegate('ready.test', body.nameservers)
    await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
    const { records } = (await client.get(`/domains/${body.domain_id}/import`)).body
    assert.equal(records.length, 1)
    await client.post(`/domains/${body.domain_id}/import`, { drop: [records[0].record_id] })
    const { body: checked } = await client.post(`/domains/${body.domain_id}/check`)
    assert.equal(checked.status, 'ACTIVE')
    const { events } = (await client.get(`/domains/${body.domain_id}/events`)).body
    assert.ok(!events.some(({ type }: Json) => type === 'record.repaired'))
    const shown = (await answersOf(house.dns, 'ready.test'))['@ MX']
    assert.deepEqual(shown, ['{"preference":10,"exchange":"mx.mailstead.test"}'])
  })

  test('an alias is no apex: what it leads to is served in its place', async () => {
    await serveElsewhere('target.test', SITE)
    await serveElsewhere('corp.test', [
      { type: 'CNAME', name: 'mail', content: 'target.test', ttl: 300 },
    ])
    const { body } = await client.post('/domains', { domain: 'mail.corp.test' })
    const { body: imported } = await client.get(`/domains/${body.domain_id}/import`)
    const types = imported.records.map(({ name, type }: Json) => `${name} ${type}`)
    assert.ok(types.includes('mail.corp.test A') && types.includes('mail.corp.test MX'), types)
    assert.ok(!types.includes('mail.corp.test CNAME'), types)
    await until(
      async () => (await ask(house.dns, 'mail.corp.test', 'A')).answers.map(({ data }) => data),
      (seen) => isDeepStrictEqual(seen, ['192.0.2.10']),
    )
    const { events } = (await client.get(`/domains/${body.domain_id}/events`)).body
    const told = events.find(({ type }: Json) => type === 'import.flattened')
    assert.match(told.message, /was an alias of target\.test/)
  })

  test('a policy that somebody keeps for it goes on being theirs', async () => {
    const policy = { type: 'TXT', name: 'kept', content: '"v=DMARC1; p=reject"', ttl: 300 }
    await serveElsewhere('policies.test', [policy])
    const alias = { type: 'CNAME', name: '_dmarc', content: 'kept.policies.test', ttl: 300 }
    await serveElsewhere('kept.test', [alias])
    const { body } = await client.post('/domains', { domain: 'kept.test' })
    await client.delegate('kept.test', body.nameservers)
    await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
    const { answers } = await ask(house.dns, '_dmarc.kept.test', 'TXT')
    assert.deepEqual(
      answers.map(({ type, data }) => `${type} ${textOf(data)}`),
      ['CNAME kept.policies.test'],
    )
  })

  test('nameservers that are dead hold nobody up for long, and that they said nothing is said', async () => {
    await client.delegate('dead.test', ['ns1.gone.test', 'ns2.gone.test'])
    const { body } = await client.post('/domains', { domain: 'dead.test' })
    assert.equal(body.status, 'DNS_CONFIGURING')
    const progress = `/domains/${body.domain_id}/progress`
    assert.match((await client.get(progress)).body.status_message, /we keep trying/)
    await store.db
      .updateTable('domains')
      .set({ created_at: sql`created_at - interval '6 minutes'` })
      .where('id', '=', body.domain_id)
      .execute()
    await client.post(`/domains/${body.domain_id}/check`)
    const waits = await client.untilDomain(body.domain_id, ({ status }) => status === 'DNS_PENDING')
    assert.equal(waits.delegation.verdict, 'elsewhere')
    const { body: imported } = await client.get(`/domains/${body.domain_id}/import`)
    assert.deepEqual([imported.state, imported.records], ['incomplete', []])
    await client.delegate('dead.test', waits.nameservers)
    await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
  })

  test('what was brought is served after removal, too: no word of ours stands beside it', async () => {
    await serveElsewhere('leaving.test')
    const { body } = await client.post('/domains', { domain: 'leaving.test' })
    const before = await answersOf(old, 'leaving.test')
    await client.delegate('leaving.test', body.nameservers)
    await client.untilDomain(
      body.domain_id,
      (domain) => conditionOf(domain, 'records_published').reason === 'mx_in_use',
    )
    const plan = (await client.delete(`/domains/${body.domain_id}?dry_run=true`)).body
    const kept = { what: 'customer_record', provider: 'embedded', count: SITE.length }
    assert.deepEqual(plan.would_keep, [kept])
    await removeLongAgo(body.domain_id)
    await untilServed('leaving.test', before)
  })

  test('mail that came here ends, and the policies that were brought stand alone again', async () => {
    await serveElsewhere('ending.test')
    const { body } = await client.post('/domains', { domain: 'ending.test', take_mail: true })
    const before = await answersOf(old, 'ending.test')
    await client.delegate('ending.test', body.nameservers)
    await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
    await removeLongAgo(body.domain_id)
    await untilServed('ending.test', { ...before, '@ MX': ['{"preference":0,"exchange":"."}'] })
  })

  test('what is not wanted is dropped before the move', async () => {
    await serveElsewhere('picked.test')
    const { body } = await client.post('/domains', { domain: 'picked.test', take_mail: true })
    const { body: imported } = await client.get(`/domains/${body.domain_id}/import`)
    const wildcard = imported.records.find(({ name }: Json) => name === '*.picked.test')
    await client.post(`/domains/${body.domain_id}/import`, { drop: [wildcard.record_id] })
    await client.delegate('picked.test', body.nameservers)
    await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
    const gone = await until(
      () => ask(house.dns, 'anything.picked.test', 'A'),
      ({ rcode }) => rcode === 'NXDOMAIN',
    )
    assert.equal(gone.answers.length, 0)
  })
})

describe('the customer’s own records', async () => {
  const acme = await client.addActive('acme.test')
  const at = (path = '') => `/domains/${acme.domain_id}/records${path}`
  const add = (record: object) => client.post(at(), record)
  const shows = (name: string, type: TypeName, wanted: string[]) =>
    until(
      async () =>
        (await ask(house.dns, name, type)).answers.map(({ data }) => textOf(data)).toSorted(),
      (seen) => JSON.stringify(seen) === JSON.stringify(wanted.toSorted()),
    )

  test('are added, changed and removed, and the nameserver follows', async () => {
    const added = await add({ name: 'www', type: 'a', value: '192.0.2.1' })
    assert.equal(added.status, 201)
    assert.deepEqual([added.body.record.name, added.body.record.managed], ['www.acme.test', false])
    await add({ name: 'www.acme.test.', type: 'A', value: '192.0.2.2' })
    await shows('www.acme.test', 'A', ['192.0.2.1', '192.0.2.2'])
    const one = at(`/${added.body.record.record_id}`)
    assert.equal(
      (await client.request('PUT', `/api/public/v1${one}`, { value: '192.0.2.3' })).status,
      200,
    )
    await shows('www.acme.test', 'A', ['192.0.2.2', '192.0.2.3'])
    assert.equal((await client.delete(one)).status, 200)
    await shows('www.acme.test', 'A', ['192.0.2.2'])
    assert.equal((await client.delete(one)).status, 404)
  })

  test('have the TTL they were given last, and an rrset the least of its own', async () => {
    const ttlOf = async (name: string) =>
      (await ask(house.dns, name, 'A')).answers.map((answer) => 'ttl' in answer && answer.ttl)
    const { record } = (await add({ name: 'slow', type: 'A', value: '192.0.2.7' })).body
    const change = { value: '192.0.2.7', ttl: 7200 }
    await client.request('PUT', `/api/public/v1${at(`/${record.record_id}`)}`, change)
    await until(
      () => ttlOf('slow.acme.test'),
      ([ttl]) => ttl === 7200,
    )
    await add({ name: 'slow', type: 'A', value: '192.0.2.8', ttl: 600 })
    await until(
      () => ttlOf('slow.acme.test'),
      (ttls) => ttls.join() === '600,600',
    )
  })

  test('an alias can be led elsewhere', async () => {
    const { record } = (await add({ name: 'alias', type: 'CNAME', value: 'a.example.net.' })).body
    const change = { value: 'b.example.net.' }
    const path = `/api/public/v1${at(`/${record.record_id}`)}`
    assert.equal((await client.request('PUT', path, change)).status, 200)
    await shows('alias.acme.test', 'CNAME', ['b.example.net'])
  })

  test('of an alias and an address at once, one stands', async () => {
    for (let turn = 0; turn < 10; turn++) {
      const name = `race${turn}`
      const answers = await Promise.all([
        add({ name, type: 'CNAME', value: 'a.example.net.' }),
        add({ name, type: 'A', value: '192.0.2.1' }),
      ])
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), [201, 409])
    }
  })

  test('of two changes at once each is told the truth, and no value is left behind', async () => {
    for (let turn = 0; turn < 10; turn++) {
      const name = `torn${turn}`
      const { record } = (await add({ name, type: 'A', value: '192.0.2.1' })).body
      const path = at(`/${record.record_id}`)
      const put = (value: string) => client.request('PUT', `/api/public/v1${path}`, { value })
      const [first, second] = await Promise.all([put('192.0.2.2'), put('192.0.2.3')])
      const changed = [first, second].filter(({ status }) => status === 200)
      assert.ok(changed.length > 0 && [200, 404].includes(second.status))
      const { body } = await client.get(at())
      const left = body.records.filter((each: Json) => each.name === `${name}.acme.test`)
      assert.equal(left.length, 1)
      await shows(`${name}.acme.test`, 'A', [left[0].value])
      const [gone, late] = await Promise.all([client.delete(path), put('192.0.2.4')])
      assert.equal(gone.status === 200 || late.status === 200, true)
      await client.delete(path)
      await shows(`${name}.acme.test`, 'A', [])
    }
  })

  test('what was taken out is forgotten once it is gone', async () => {
    await until(
      async () => {
        await client.post(`/domains/${acme.domain_id}/check`)
        return store.db
          .selectFrom('customer_records')
          .select(['name', 'value'])
          .where('domain_id', '=', acme.domain_id)
          .where('removed_at', 'is not', null)
          .execute()
      },
      (left) => left.length === 0,
    )
  })

  test('there may be so many, and no more', async () => {
    const rows = Array.from({ length: 1000 }, (_, index) => ({
      id: newId(),
      domain_id: acme.domain_id,
      name: `n${index}.acme.test.`,
      type: 'A',
      value: '192.0.2.1',
      ttl: 300,
      origin: 'added' as const,
      removed_at: null,
    }))
    await store.db.insertInto('customer_records').values(rows).execute()
    const { status, body } = await add({ name: 'more', type: 'A', value: '192.0.2.1' })
    assert.deepEqual([status, body.error, body.max_records], [409, 'too_many_records', 1000])
    await store.db
      .deleteFrom('customer_records')
      .where(
        'id',
        'in',
        rows.map(({ id }) => id),
      )
      .execute()
  })

  test('stand beside ours at the same name', async () => {
    await add({ name: '@', type: 'TXT', value: 'mine=1' })
    await until(
      async () => (await ask(house.dns, 'acme.test', 'TXT')).answers.length,
      (count) => count === 2,
    )
    const { body } = await client.post(`/domains/${acme.domain_id}/check`)
    assert.equal(body.status, 'ACTIVE')
    assert.equal((await ask(house.dns, 'acme.test', 'TXT')).answers.length, 2)
  })

  test('ours can be seen, and not edited', async () => {
    const { body } = await client.get(at())
    const mx = body.records.find(({ purpose }: Json) => purpose === 'mx')
    assert.equal(mx.managed, true)
    const { status, body: refusal } = await client.delete(at(`/${mx.record_id}`))
    assert.deepEqual([status, refusal.error], [409, 'record_managed'])
  })

  // biome-ignore format: a table
  const REFUSED: [record: object, status: number, error?: string][] = [
    [{ name: 'a', type: 'A', value: '192.0.2' },                       422],
    [{ name: 'a', type: 'A', value: '192.0.2.1', ttl: 5 },             422],
    [{ name: 'a', type: 'A', value: '192.0.2.1', ttl: 'day' },         422],
    [{ name: 'a', type: 'LOC', value: 'x' },                           422],
    [{ name: '@', type: 'NS', value: 'ns1.example.net.' },             422],
    [{ name: 'a', type: 'MX', value: 'mx.example.net.' },              422],
    [{ name: 'a', type: 'TXT', value: 'x'.repeat(5000) },              422],
    [{ type: 'A', value: '192.0.2.1' },                                422],
    [{ name: '@', type: 'CNAME', value: 'x.example.net.' },            409, 'record_conflict'],
    [{ name: '@', type: 'MX', value: '20 backup.example.net.' },       409, 'record_conflict'],
    [{ name: '_dmarc', type: 'CNAME', value: 'x.example.net.' },       409, 'record_conflict'],
    [{ name: 'www', type: 'A', value: '192.0.2.2' },                   409, 'record_exists'],
    [{ name: `${'a'.repeat(64)}`, type: 'A', value: '192.0.2.1' },     422],
  ]
  for (const [record, status, error] of REFUSED) {
    test(`refused: ${JSON.stringify(record).slice(0, 80)}`, async () => {
      const answer = await add(record)
      assert.equal(answer.status, status, JSON.stringify(answer.body))
      if (error) assert.equal(answer.body.error, error)
    })
  }
})
