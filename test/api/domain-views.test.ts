import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Json } from '../client.ts'
import { testHouse } from '../house.ts'
import { hasFields, isInstant } from './expect.ts'

const house = await testHouse({ MAILSTEAD_WAIT_MS: '1000' })
after(() => house[Symbol.asyncDispose]())
const { client } = house

const CONDITIONS = [
  'zone_ready',
  'delegated',
  'sender_registered',
  'mail_domain_ready',
  'records_published',
  'sender_verified',
  'mail_proven',
]

const DETAILS = `success message domain_id domain_name status mailcow_added cloudflare_verified max_inboxes
  current_inboxes created_at nameservers dns_records inbox_capacity activated_at failure delegation
  conditions sending providers`
const PROGRESS = `success message domain_id domain_name status progress_percentage is_complete is_failed
  status_message`
const DELEGATION = `verdict expected observed checked_at next_check_at settled_at message servers`
const SERVER = `name address transport outcome nameservers authoritative ttl ms`
const CONDITION = `type status reason message waiting_for since checked_at next_check_at`
const RECORD = `record_id type name value ttl priority purpose required managed status observed message
  checked_at`

/** Domains by the public status they stand in, each made to stand there. */
const ids: Record<string, string> = {}
const add = async (domain: string) => (await client.post('/domains', { domain })).body

before(async () => {
  await client.misbehave('made.test', 'zone_ready', 'unavailable', 100_000)
  ids.DNS_CONFIGURING = (await add('made.test')).domain_id
  ids.DNS_PENDING = (await add('waiting.test')).domain_id
  await client.untilDomain(ids.DNS_PENDING!, ({ delegation }) => delegation !== null)
  await client.misbehave('stalled.test', 'sender_registered', 'unavailable', 100_000)
  ids.SERVICES_CONFIGURING = (await client.addDelegated('stalled.test')).domain_id
  await client.untilDomain(
    ids.SERVICES_CONFIGURING!,
    ({ status }) => status === 'SERVICES_CONFIGURING',
  )
  await client.misbehave('refused.test', 'mail_domain_ready', 'rejected', 100_000)
  ids.FAILED = (await client.addDelegated('refused.test')).domain_id
  await client.untilDomain(ids.FAILED!, ({ status }) => status === 'FAILED')
  ids.ACTIVE = (await client.addActive('ready.test')).domain_id
})

const details = async (status: string): Promise<Json> =>
  (await client.get(`/domains/${ids[status]}`)).body
const progress = async (status: string): Promise<Json> =>
  (await client.get(`/domains/${ids[status]}/progress`)).body

const STATUSES = ['DNS_CONFIGURING', 'DNS_PENDING', 'SERVICES_CONFIGURING', 'FAILED', 'ACTIVE']

for (const status of STATUSES) {
  test(`the details of a domain that is ${status} have exactly the fields of the contract`, async () => {
    const body = await details(status)
    hasFields(body, DETAILS)
    assert.equal(body.success, true)
    assert.equal(body.status, status)
    assert.deepEqual(body.inbox_capacity, { max: 50, current: 0, available: 50 })
    assert.deepEqual(body.providers, { dns: 'embedded', sender: 'embedded', mailbox: 'embedded' })
    hasFields(body.sending, 'allowed reason')
    isInstant(body.created_at)
    if (status === 'ACTIVE') isInstant(body.activated_at)
    else assert.equal(body.activated_at, null)
  })

  test(`a domain that is ${status} tells of every condition, in the order of its life`, async () => {
    const { conditions } = await details(status)
    assert.deepEqual(
      conditions.map(({ type }: Json) => type),
      CONDITIONS,
    )
    for (const condition of conditions) {
      hasFields(condition, CONDITION)
      assert.match(condition.status, /^(met|waiting|failed|not_applicable|unknown)$/)
      if (condition.reason !== null) assert.match(condition.reason, /^[a-z]+(_[a-z]+)*$/)
      if (condition.status === 'waiting')
        assert.match(condition.waiting_for, /^(us|customer|provider)$/)
      else assert.equal(condition.waiting_for, null)
      for (const instant of [condition.since, condition.checked_at, condition.next_check_at])
        if (instant !== null) isInstant(instant)
    }
  })

  test(`the progress of a domain that is ${status} has exactly the fields of the contract`, async () => {
    const body = await progress(status)
    hasFields(body, PROGRESS)
    assert.equal(body.success, true)
    assert.equal(body.domain_id, ids[status])
    assert.match(body.status, /^(PENDING|IN_PROGRESS|COMPLETED|FAILED)$/)
    assert.ok(Number.isInteger(body.progress_percentage))
    assert.equal(body.is_complete, status === 'ACTIVE')
    assert.equal(body.is_failed, status === 'FAILED')
  })

  test(`a person can read what is said of a domain that is ${status}`, async () => {
    const { status_message } = await progress(status)
    assert.match(status_message, /^[A-Z].*[.!]$/)
    for (const stage of CONDITIONS) assert.ok(!status_message.includes(stage), status_message)
    assert.doesNotMatch(status_message, /\b(stage|step|attempt|retry|null|undefined)\b/i)
    assert.doesNotMatch(status_message, /Error|\bat \S+:\d+|node_modules|\.ts\b|ECONN|\d+ of \d+/)
    assert.doesNotMatch(status_message, /\d/, 'no counts')
  })
}

// biome-ignore format: a table
const PROGRESSES: readonly [status: string, shown: string, from: number, to: number][] = [
  ['DNS_CONFIGURING',      'IN_PROGRESS',  0,   20],
  ['DNS_PENDING',          'IN_PROGRESS',  1,   50],
  ['SERVICES_CONFIGURING', 'IN_PROGRESS',  20,  99],
  ['FAILED',               'FAILED',       0,   99],
  ['ACTIVE',               'COMPLETED',    100, 100],
]

for (const [status, shown, from, to] of PROGRESSES) {
  test(`the progress of ${status} is ${shown}, between ${from} and ${to} percent`, async () => {
    const body = await progress(status)
    assert.equal(body.status, shown)
    assert.ok(body.progress_percentage >= from && body.progress_percentage <= to)
  })
}

// biome-ignore format: a table
const SENDING: readonly [status: string, sending: object][] = [
  ['DNS_PENDING', { allowed: false, reason: 'domain_not_active' }],
  ['FAILED',      { allowed: false, reason: 'domain_not_active' }],
  ['ACTIVE',      { allowed: true, reason: null }],
]

for (const [status, sending] of SENDING) {
  test(`sending from ${status} is ${JSON.stringify(sending)}`, async () => {
    assert.deepEqual((await details(status)).sending, sending)
  })
}

test('a domain that failed says where and why, and that it can be tried again', async () => {
  const { failure } = await details('FAILED')
  hasFields(failure, 'stage reason message retryable failed_at')
  assert.equal(failure.stage, 'mail_domain_ready')
  assert.match(failure.reason, /^[a-z_]+$/)
  assert.match(failure.message, /^[A-Z].*\.$/)
  assert.equal(failure.retryable, true)
  isInstant(failure.failed_at)
  for (const status of STATUSES.filter((each) => each !== 'FAILED'))
    assert.equal((await details(status)).failure, null, status)
})

test('the delegation is null before the first look, and evidence after it', async () => {
  assert.equal((await details('DNS_CONFIGURING')).delegation, null)
  for (const status of ['DNS_PENDING', 'ACTIVE']) {
    const { delegation, nameservers } = await details(status)
    hasFields(delegation, DELEGATION)
    assert.deepEqual(delegation.expected, nameservers)
    isInstant(delegation.checked_at)
    assert.match(delegation.message, /^[A-Za-z].*\.$/)
    assert.ok(delegation.servers.length > 0)
    for (const server of delegation.servers) {
      hasFields(server, SERVER)
      assert.match(server.name, /^[ab]\.parent\.test$/)
      assert.match(server.transport, /^(udp|tcp)$/)
      assert.equal(typeof server.authoritative, 'boolean')
      assert.equal(typeof server.ms, 'number')
    }
  }
})

test('what the parent shows is what is observed', async () => {
  const waiting = (await details('DNS_PENDING')).delegation
  assert.deepEqual([waiting.verdict, waiting.observed], ['not_published', []])
  assert.equal(waiting.settled_at, null)
  const active = await details('ACTIVE')
  assert.equal(active.delegation.verdict, 'delegated')
  assert.deepEqual(active.delegation.observed, active.nameservers)
  isInstant(active.delegation.settled_at)
})

test('a domain that waits for its nameservers says when they are looked at next', async () => {
  isInstant((await details('DNS_PENDING')).delegation.next_check_at)
})

test('an active domain, too, says when its nameservers are looked at next', async () => {
  const { delegation } = await client.untilDomain(ids.ACTIVE!, ({ conditions }) =>
    conditions.some(({ next_check_at }: Json) => next_check_at !== null),
  )
  isInstant(delegation.next_check_at)
})

test('the records of an active domain are what a zone editor would show', async () => {
  const { dns_records: records } = await details('ACTIVE')
  for (const record of records) {
    hasFields(record, RECORD)
    assert.ok(Number.isInteger(record.ttl) && record.ttl > 0)
    assert.ok(!record.name.endsWith('.'), record.name)
    assert.ok(record.name === 'ready.test' || record.name.endsWith('.ready.test'))
    const isRequired = record.purpose !== 'bounce'
    assert.deepEqual(
      [record.required, record.managed, record.status],
      [isRequired, true, 'published'],
    )
    isInstant(record.checked_at)
  }
  const of = (purpose: string): Json => records.find((each: Json) => each.purpose === purpose)
  assert.deepEqual(
    [of('mx').type, of('mx').priority, of('mx').value],
    ['MX', 10, 'mx.mailstead.test.'],
  )
  assert.deepEqual([of('spf').type, of('spf').priority], ['TXT', null])
  assert.match(of('spf').value, /^v=spf1 /)
  assert.match(of('dmarc').value, /^v=DMARC1;/)
  assert.match(of('dkim').value, /^v=DKIM1;.*p=[A-Za-z0-9+/=]{300,}$/, 'long TXT is not split')
  assert.doesNotMatch(JSON.stringify(records), /PRIVATE/)
})

test('before the nameservers are set, there are no records, and nothing was made anywhere', async () => {
  const body = await details('DNS_PENDING')
  assert.deepEqual(body.dns_records, [])
  assert.deepEqual([body.mailcow_added, body.cloudflare_verified], [false, false])
})
