import assert from 'node:assert/strict'
import { test } from 'node:test'
import Cloudflare from 'cloudflare'
import { ask } from '../../test/dns.ts'
import { REFUSALS, type RefusalKind } from './answers.ts'
import {
  type CloudflareEmulator,
  type CloudflareEmulatorOptions,
  startCloudflareEmulator,
} from './emulator.ts'
import { type CheckShape, sdkShapes } from './shapes.ts'

const contracts = process.env.MAILSTEAD_CONTRACTS
const skip =
  contracts === undefined ? 'MAILSTEAD_CONTRACTS names no directory of recorded contracts' : false

/** The emulator, the official SDK as its client, and a client that knows nothing but HTTP. */
async function bench(options: CloudflareEmulatorOptions = {}) {
  const emulator = await startCloudflareEmulator(options)
  const { apiUrl: baseURL, apiToken } = emulator
  const sdk = new Cloudflare({ apiToken, baseURL, maxRetries: 0 })
  const create = (name = 'acme.test') =>
    sdk.zones.create({ account: { id: emulator.accountId }, name, type: 'full' })
  return {
    emulator,
    sdk,
    create,
    call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
      plain(emulator, method, path, body, headers),
    dig: (name: string, type: Parameters<typeof ask>[2]) =>
      ask(`${emulator.dns.address}:${emulator.dns.port}`, name, type),
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  }
}
type Bench = Awaited<ReturnType<typeof bench>>

type Body = {
  success: boolean
  errors: { code: number; message: string; error_chain?: { code: number; message: string }[] }[]
  messages: unknown[]
  /** Null where refused; a list where `result_info` is. */
  result: { id: string } & Record<string, unknown>
  result_info?: Record<string, number>
}

async function plain(
  { apiUrl, apiToken }: CloudflareEmulator,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: Body }> {
  const answer = await fetch(`${apiUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${apiToken}`,
      'content-type': 'application/json',
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Body }
}

type ZoneBench = Bench & { zoneId: string; path: string }

async function withZone(options: CloudflareEmulatorOptions = {}): Promise<ZoneBench> {
  const started = await bench(options)
  const { id: zoneId } = await started.create()
  return { ...started, zoneId, path: `/zones/${zoneId}` }
}

const A = { type: 'A', name: 'www', content: '192.0.2.1', ttl: 60 }
const TXT = { type: 'TXT', name: '@', content: '"v=spf1 -all"', ttl: 60 }
const RULE = {
  action: 'redirect',
  expression: '(http.host eq "acme.test")',
  description: 'ours',
  action_parameters: {
    from_value: {
      status_code: 301,
      target_url: { value: 'https://www.acme.test/' },
      preserve_query_string: true,
    },
  },
} as const
const ENTRYPOINT = '/rulesets/phases/http_request_dynamic_redirect/entrypoint'
const NOBODY = '0'.repeat(32)

const add = ({ call, path }: ZoneBench, record: unknown) =>
  call('POST', `${path}/dns_records`, record)
const namesOf = (replies: { data: unknown }[]) => replies.map(({ data }) => data)

type SeenRuleset = {
  id: string
  version: string
  rules: { id: string; version: string; enabled: boolean; description: string }[]
}
/** The SDK's own type for these answers is `unknown`. */
const seen = (ruleset: unknown) => ruleset as SeenRuleset

// What works.

test('a new zone is pending, and its two nameservers answer for it at once', async () => {
  await using it = await bench({ nameserverZone: 'ns.cloudflare.test' })
  const zone = await it.create('Acme.test')
  assert.equal(zone.name, 'acme.test')
  assert.equal(zone.status, 'pending')
  assert.match(zone.id, /^[0-9a-f]{32}$/)
  assert.equal(zone.name_servers.length, 2)
  const { answers } = await it.dig('acme.test', 'NS')
  assert.deepEqual(namesOf(answers).toSorted(), zone.name_servers.toSorted())
  assert.ok(zone.name_servers.every((name) => name.endsWith('.ns.cloudflare.test')))
  assert.deepEqual(it.emulator.records, [
    { name: '*.ns.cloudflare.test.', type: 'A', ttl: 300, data: ['127.0.0.1'] },
  ])
})

test('a zone that is deleted and made again has other nameservers and no records', async () => {
  await using it = await withZone()
  const before = await it.sdk.zones.get({ zone_id: it.zoneId })
  await add(it, A)
  await it.sdk.zones.delete({ zone_id: it.zoneId })
  assert.equal((await it.dig('www.acme.test', 'A')).rcode, 'REFUSED')
  const after = await it.create()
  assert.ok(after.name_servers.every((name) => !before.name_servers.includes(name)))
  assert.notEqual(after.id, it.zoneId)
  assert.deepEqual(it.emulator.holdings(), { zones: ['acme.test'], records: 0 })
})

test('zones are listed by name and account, and found no more once gone', async () => {
  await using it = await bench()
  await it.create('acme.test')
  await it.create('büro.test')
  const listed = async (query: object) => {
    const names = []
    for await (const zone of it.sdk.zones.list(query)) names.push(zone.name)
    return names
  }
  const id = it.emulator.accountId
  assert.deepEqual(await listed({ name: 'acme.test', account: { id } }), ['acme.test'])
  assert.deepEqual(await listed({ account: { id: NOBODY } }), [])
  assert.deepEqual(await listed({ name: 'starts_with:xn--' }), ['xn--bro-hoa.test'])
  assert.deepEqual(await listed({ order: 'name', direction: 'desc' }), [
    'xn--bro-hoa.test',
    'acme.test',
  ])
  assert.deepEqual(await listed({ status: 'active' }), [])
})

test('a zone becomes active, moves, and comes back', async () => {
  await using it = await withZone()
  const look = async () => {
    const { status, activated_on } = await it.sdk.zones.get({ zone_id: it.zoneId })
    return { status, hasBeenActive: activated_on !== null }
  }
  assert.deepEqual(await look(), { status: 'pending', hasBeenActive: false })
  it.emulator.activate('acme.test')
  assert.deepEqual(await look(), { status: 'active', hasBeenActive: true })
  it.emulator.move('acme.test')
  assert.deepEqual(await look(), { status: 'moved', hasBeenActive: true })
  assert.throws(() => it.emulator.move('acme.test'), /is moved/)
  assert.throws(() => it.emulator.activate('other.test'), /no zone/)
})

test('an activation check can be asked for once an hour, and makes nothing active', async () => {
  let nowMs = Date.UTC(2026, 0)
  await using it = await withZone({ now: () => new Date(nowMs) })
  const check = () => it.sdk.zones.activationCheck.trigger({ zone_id: it.zoneId })
  assert.deepEqual(await check(), { id: it.zoneId })
  nowMs += 3_599_999
  await assert.rejects(check(), { status: 400 })
  nowMs += 1
  assert.deepEqual(await check(), { id: it.zoneId })
  assert.equal((await it.sdk.zones.get({ zone_id: it.zoneId })).status, 'pending')
})

test('records are read page by page, and the page past the last is empty', async () => {
  await using it = await withZone({ pageLimit: 3 })
  const posts = Array.from({ length: 7 }, (_, at) => ({ ...A, type: 'A' as const, name: `n${at}` }))
  await it.sdk.dns.records.batch({ zone_id: it.zoneId, posts })
  const names = []
  for await (const { name } of it.sdk.dns.records.list({ zone_id: it.zoneId, per_page: 1000 })) {
    names.push(name)
  }
  assert.deepEqual(
    names,
    posts.map(({ name }) => `${name}.acme.test`),
  )
  const last = await it.call('GET', `${it.path}/dns_records?page=4&per_page=100`)
  assert.deepEqual(last.body.result, [])
  assert.deepEqual(last.body.result_info, {
    page: 4,
    per_page: 3,
    count: 0,
    total_count: 7,
    total_pages: 3,
  })
})

test('records are filtered by name, type, content and comment', async () => {
  await using it = await withZone()
  await add(it, { ...A, comment: 'Ours' })
  await add(it, { ...A, content: '192.0.2.2' })
  await add(it, { ...TXT, name: 'www' })
  await add(it, TXT)
  const count = async (query: Omit<Cloudflare.DNS.RecordListParams, 'zone_id'>) =>
    (await it.sdk.dns.records.list({ zone_id: it.zoneId, ...query })).result.length
  assert.equal(await count({}), 4)
  assert.equal(await count({ name: { exact: 'WWW.acme.test' } }), 3)
  assert.equal(await count({ name: { exact: 'www.acme.test' }, type: 'A' }), 2)
  assert.equal(await count({ content: { contains: 'spf1' } }), 2)
  assert.equal(await count({ comment: { exact: 'ours' } }), 1)
  assert.equal(await count({ comment: { absent: 'true' } }), 3)
  assert.equal(await count({ match: 'any', comment: { exact: 'ours' }, type: 'TXT' }), 3)
  assert.equal(await count({ name: { exact: 'nowhere.acme.test' } }), 0)
})

test('a name may be relative, in full, of letters beyond ASCII, or the apex as @', async () => {
  await using it = await withZone()
  const written = [
    ['www', 'www.acme.test'],
    ['WWW2.acme.test.', 'www2.acme.test'],
    ['@', 'acme.test'],
    ['acme.test', 'acme.test'],
    ['büro', 'xn--bro-hoa.acme.test'],
    ['_dmarc', '_dmarc.acme.test'],
    ['*', '*.acme.test'],
    ['*.deep', '*.deep.acme.test'],
    ['1', '1.acme.test'],
    ['www.other.test', 'www.other.test.acme.test'],
  ]
  for (const [index, [name, full]] of written.entries()) {
    const { body } = await add(it, { ...TXT, name, content: `"${index}"` })
    assert.equal(body.result.name, full)
  }
})

test('what the API was told is what the DNS says, for every type', async () => {
  await using it = await withZone()
  const text = `v=DKIM1; p=${'k'.repeat(392)}`
  const quoted = `"${text.slice(0, 255)}" "${text.slice(255)}"`
  const posts = [
    { type: 'A', name: '*.wild', content: '192.0.2.9', ttl: 1 },
    { type: 'AAAA', name: 'www', content: '2001:DB8::1', ttl: 60 },
    { type: 'TXT', name: 's1._domainkey', content: quoted, ttl: 120 },
    { type: 'CNAME', name: 'alias', content: 'host.elsewhere.test.', ttl: 60 },
    { type: 'MX', name: '@', content: 'mx.elsewhere.test', priority: 10, ttl: 60 },
    { type: 'NS', name: 'sub', content: 'ns1.elsewhere.test', ttl: 60 },
    {
      type: 'SRV',
      name: '_imaps._tcp',
      data: { priority: 0, weight: 1, port: 993, target: 'imap.elsewhere.test' },
      ttl: 60,
    },
    { type: 'CAA', name: '@', data: { flags: 0, tag: 'issue', value: 'ca.test' }, ttl: 60 },
  ]
  const { status } = await it.call('POST', `${it.path}/dns_records/batch`, { posts })
  assert.equal(status, 200)
  const said = async (name: string, type: Parameters<typeof ask>[2]) => {
    const { answers } = await it.dig(name, type)
    return answers.map(({ data, ttl }) => [data, ttl])
  }
  assert.deepEqual(await said('any.wild.acme.test', 'A'), [['192.0.2.9', 300]])
  assert.deepEqual(await said('www.acme.test', 'AAAA'), [['2001:db8::1', 60]])
  assert.deepEqual(await said('alias.acme.test', 'CNAME'), [['host.elsewhere.test', 60]])
  assert.deepEqual(await said('acme.test', 'MX'), [
    [{ preference: 10, exchange: 'mx.elsewhere.test' }, 60],
  ])
  assert.deepEqual(await said('_imaps._tcp.acme.test', 'SRV'), [
    [{ priority: 0, weight: 1, port: 993, target: 'imap.elsewhere.test' }, 60],
  ])
  const [caa] = (await it.dig('acme.test', 'CAA')).answers
  const { tag, value } = caa!.data as { tag: string; value: string }
  assert.deepEqual([tag, value], ['issue', 'ca.test'])
  const [txt] = (await it.dig('s1._domainkey.acme.test', 'TXT')).answers
  assert.equal(Buffer.concat(txt!.data as Buffer[]).toString(), text)
  const referral = await it.dig('www.sub.acme.test', 'A')
  assert.equal(referral.answers.length, 0)
  assert.equal((await it.dig('nothing.acme.test', 'A')).rcode, 'NXDOMAIN')
})

test('TXT content is kept as it is written, but for strings that are too long', async () => {
  await using it = await withZone()
  const long = 'x'.repeat(300)
  const rows = [
    ['"v=spf1 -all"', '"v=spf1 -all"', 'v=spf1 -all'],
    ['v=spf1 ~all', 'v=spf1 ~all', 'v=spf1 ~all'],
    ['"one" "two"', '"one" "two"', 'onetwo'],
    [String.raw`"a \"b\" \\ \065"`, String.raw`"a \"b\" \\ \065"`, String.raw`a "b" \ A`],
    [`"${long}"`, `"${'x'.repeat(255)}" "${'x'.repeat(45)}"`, long],
    [long, long, long],
  ]
  for (const [index, [content, kept, text]] of rows.entries()) {
    const { body } = await add(it, { ...TXT, name: `n${index}`, content })
    assert.equal(body.result.content, kept)
    const [answer] = (await it.dig(`n${index}.acme.test`, 'TXT')).answers
    assert.equal(Buffer.concat(answer!.data as Buffer[]).toString(), text)
  }
})

test('the root may stand for no host, in MX and SRV', async () => {
  await using it = await withZone()
  const data = { priority: 0, weight: 0, port: 0, target: '.' }
  assert.equal((await add(it, { type: 'MX', name: '@', content: '.', priority: 0 })).status, 200)
  assert.equal((await add(it, { type: 'SRV', name: '_imap._tcp', data })).status, 200)
  const [mx] = (await it.dig('acme.test', 'MX')).answers
  assert.deepEqual(mx!.data, { preference: 0, exchange: '.' })
})

test('a patch changes what it names, a put all, and the DNS follows', async () => {
  await using it = await withZone()
  const zone_id = it.zoneId
  const made = await it.sdk.dns.records.create({ zone_id, ...A, type: 'A', comment: 'ours' })
  const patch = { zone_id, name: 'www', type: 'A', content: '192.0.2.2', ttl: 60 } as const
  const patched = await it.sdk.dns.records.edit(made.id, patch)
  assert.equal(patched.comment, 'ours')
  assert.deepEqual(namesOf((await it.dig('www.acme.test', 'A')).answers), ['192.0.2.2'])
  const put = { zone_id, name: 'web', type: 'A', content: '192.0.2.3', ttl: 120 } as const
  const overwritten = await it.sdk.dns.records.update(made.id, put)
  assert.equal(overwritten.comment, null)
  assert.equal(overwritten.id, made.id)
  assert.equal((await it.dig('www.acme.test', 'A')).rcode, 'NXDOMAIN')
  assert.deepEqual(await it.sdk.dns.records.delete(made.id, { zone_id }), { id: made.id })
  assert.equal(it.emulator.holdings().records, 0)
})

test('a batch deletes first, then patches, puts and posts', async () => {
  await using it = await withZone()
  const zone_id = it.zoneId
  const [gone, patched, put] = await Promise.all(
    ['1', '2', '3'].map(async (octet) => {
      const { body } = await add(it, { ...A, content: `192.0.2.${octet}` })
      return body.result.id
    }),
  )
  const done = await it.sdk.dns.records.batch({
    zone_id,
    posts: [{ type: 'A', name: 'www', content: '192.0.2.2', ttl: 60 }],
    puts: [{ id: put!, type: 'A', name: 'www', content: '192.0.2.3', ttl: 120 }],
    patches: [{ id: patched!, type: 'A', name: 'www', content: '192.0.2.1', ttl: 60 }],
    deletes: [{ id: gone! }],
  })
  assert.deepEqual(
    [done.deletes, done.patches, done.puts, done.posts].map((records) => records!.length),
    [1, 1, 1, 1],
  )
  assert.deepEqual(namesOf((await it.dig('www.acme.test', 'A')).answers).toSorted(), [
    '192.0.2.1',
    '192.0.2.2',
    '192.0.2.3',
  ])
})

test('a batch with one bad operation changes nothing', async () => {
  await using it = await withZone()
  const { body } = await add(it, A)
  const before = await it.call('GET', `${it.path}/dns_records`)
  const { status } = await it.call('POST', `${it.path}/dns_records/batch`, {
    deletes: [{ id: body.result.id }],
    posts: [
      { ...A, name: 'good' },
      { ...A, name: 'bad', content: 'nonsense' },
    ],
  })
  assert.equal(status, 400)
  assert.deepEqual((await it.call('GET', `${it.path}/dns_records`)).body, before.body)
  assert.deepEqual(namesOf((await it.dig('www.acme.test', 'A')).answers), ['192.0.2.1'])
  assert.equal((await it.dig('good.acme.test', 'A')).rcode, 'NXDOMAIN')
})

test('tags are kept where the plan has them', async () => {
  await using it = await withZone({ tagsPerRecord: 1 })
  const { body } = await add(it, { ...A, tags: ['owner:mailstead'] })
  assert.deepEqual(body.result.tags, ['owner:mailstead'])
})

test('redirect rules are added one by one, and a put replaces them all', async () => {
  await using it = await withZone()
  const zone_id = it.zoneId
  const phase = 'http_request_dynamic_redirect'
  const made = seen(await it.sdk.rulesets.phases.update(phase, { zone_id, rules: [RULE] }))
  const ruleset_id = made.id
  const added = seen(await it.sdk.rulesets.rules.create(ruleset_id, { zone_id, ...RULE }))
  const [first, second] = added.rules.map(({ id }) => id)
  const edit = { zone_id, ruleset_id, ...RULE, enabled: false } as const
  const edited = seen(await it.sdk.rulesets.rules.edit(first!, edit))
  assert.deepEqual(
    edited.rules.map(({ id, version, enabled }) => [id, version, enabled]),
    [
      [first, '2', false],
      [second, '1', true],
    ],
  )
  const left = seen(await it.sdk.rulesets.rules.delete(first!, { zone_id, ruleset_id }))
  assert.equal(left.version, '4')
  const kept = await it.call('PUT', `${it.path}${ENTRYPOINT}`, { rules: [{ ...RULE, id: second }] })
  assert.deepEqual(await it.sdk.rulesets.phases.get(phase, { zone_id }), kept.body.result)
  const other = { ...RULE, description: 'theirs' }
  const replaced = seen(await it.sdk.rulesets.phases.update(phase, { zone_id, rules: [other] }))
  assert.deepEqual(
    replaced.rules.map(({ id, description }) => [id === second, description]),
    [[false, 'theirs']],
  )
})

// What is refused.

type Answer = { status: number; body: Body }
type Provoke = (it: ZoneBench) => Promise<Answer>

const zoneCalled =
  (name: unknown, more: object = {}): Provoke =>
  ({ call, emulator }) =>
    call('POST', '/zones', { account: { id: emulator.accountId }, name, ...more })
const recordsOf =
  (...records: object[]): Provoke =>
  async (it) => {
    const answers = []
    for (const record of records) answers.push(await add(it, record))
    return answers.at(-1)!
  }
const bearing =
  (authorization: string): Provoke =>
  ({ call }) =>
    call('GET', '/zones', undefined, { authorization })
const rulesOf =
  (...rules: object[]): Provoke =>
  ({ call, path }) =>
    call('PUT', `${path}${ENTRYPOINT}`, { rules })

const CNAME = { type: 'CNAME', name: 'www', content: 'host.other.test' }
const NS = { type: 'NS', name: 'www', content: 'ns.other.test' }
const MX = { type: 'MX', name: '@', content: 'mx.other.test', priority: 10 }
const SRV = { priority: 1, weight: 1, port: 1, target: 'host.other.test' }

/** Ways to be refused, for every refusal there is. */
const REFUSED: Record<RefusalKind, readonly Provoke[]> = {
  authorization_missing: [
    async ({ emulator }) => {
      const answer = await fetch(`${emulator.apiUrl}/zones`)
      return { status: answer.status, body: (await answer.json()) as Body }
    },
  ],
  authorization_malformed: [bearing('Bearer short'), bearing('Basic abc')],
  unauthenticated: [
    bearing(`Bearer ${'x'.repeat(40)}`),
    ({ call, emulator }) => {
      emulator.revoke()
      return call('GET', '/zones')
    },
  ],
  may_not_create: [
    ({ call }) => call('POST', '/zones', { account: { id: NOBODY }, name: 'new.test' }),
    ({ call }) => call('POST', '/zones', { name: 'new.test' }),
    (it) => {
      it.emulator.forbid()
      return zoneCalled('new.test')(it)
    },
  ],
  may_not_touch: [
    ({ call, path, emulator }) => {
      emulator.forbid()
      return call('GET', path)
    },
    (it) => {
      it.emulator.forbid()
      return add(it, A)
    },
  ],
  may_not_redirect: [
    ({ call, path, emulator }) => {
      emulator.forbidRedirects()
      return call('GET', `${path}${ENTRYPOINT}`)
    },
    (it) => {
      it.emulator.forbidRedirects()
      return rulesOf(RULE)(it)
    },
    ({ call, path, emulator }) => {
      emulator.forbidRedirects()
      return call('DELETE', `${path}/rulesets/${NOBODY}/rules/${NOBODY}`)
    },
  ],
  throttled: [
    ({ call, emulator }) => {
      emulator.faults.add({ kind: 'throttled' })
      return call('GET', '/zones')
    },
  ],
  out_of_order: [
    async ({ call, emulator }) => {
      emulator.faults.add({ kind: 'broken' })
      const answer = await call('GET', '/zones')
      assert.equal(answer.status, 503)
      return { ...answer, status: 500 }
    },
  ],
  no_route: [
    ({ call }) => call('GET', '/nowhere'),
    ({ call }) => call('GET', '/zones/not-an-id'),
    ({ call, path }) => call('PATCH', path, { paused: true }),
    ({ call, path }) => call('GET', `${path}/dns_records/`),
    ({ call, path }) => call('GET', `${path}/rulesets/phases/http_ratelimit/entrypoint`),
  ],
  body_unreadable: [
    ({ call, path }) => call('POST', `${path}/dns_records`, '{"type":'),
    ({ call, path }) => call('POST', `${path}/dns_records`, '[]'),
    ({ call, path }) => call('POST', `${path}/dns_records`, A, { 'content-type': 'text/plain' }),
    ({ call, path }) => call('POST', `${path}/dns_records/batch`, { posts: 'all' }),
  ],
  page_invalid: [
    ({ call }) => call('GET', '/zones?per_page=51'),
    ({ call }) => call('GET', '/zones?page=0'),
    ({ call, path }) => call('GET', `${path}/dns_records?page=x`),
  ],
  not_emulated: [
    ({ call, path }) => call('GET', `${path}/dns_records?search=x`),
    ({ call, path }) => call('GET', `${path}/dns_records?tag=x`),
    ({ call, path }) => call('GET', `${path}/dns_records?order=id`),
    ({ call }) => call('GET', '/zones?account.name=x'),
    ({ call }) => call('GET', '/zones?name=like:x'),
    recordsOf({ ...CNAME, name: '@' }),
    recordsOf({ ...CNAME, settings: { flatten_cname: true } }),
    rulesOf({ ...RULE, position: { index: 1 } }),
  ],
  zone_exists: [
    zoneCalled('acme.test'),
    zoneCalled('ACME.test.'),
    (it) => {
      it.emulator.otherAccountHolds('theirs.test')
      return zoneCalled('theirs.test')(it)
    },
  ],
  zone_banned: [zoneCalled('banned.test')],
  zone_unregistrable: [zoneCalled('test'), zoneCalled('co.uk'), zoneCalled('github.io')],
  zone_not_root: [zoneCalled('sub.acme.test'), zoneCalled('www.example.co.uk')],
  zone_name_invalid: [zoneCalled('a b.test'), zoneCalled('192.0.2.1'), zoneCalled(7)],
  zone_type_refused: [zoneCalled('new.test', { type: 'partial' })],
  zone_absent: [
    ({ call }) => call('GET', `/zones/${NOBODY}`),
    ({ call }) => call('DELETE', `/zones/${NOBODY}`),
    ({ call }) => call('GET', `/zones/${NOBODY}/dns_records`),
    ({ call }) => call('GET', `/zones/${NOBODY}${ENTRYPOINT}`),
  ],
  check_too_early: [
    async ({ call, path }) => {
      await call('PUT', `${path}/activation_check`)
      return call('PUT', `${path}/activation_check`)
    },
  ],
  check_not_pending: [
    ({ call, path, emulator }) => {
      emulator.activate('acme.test')
      return call('PUT', `${path}/activation_check`)
    },
  ],
  record_exists: [
    recordsOf(A, { ...A, ttl: 120 }),
    recordsOf({ ...CNAME, ttl: 60 }, { ...CNAME, ttl: 60, proxied: true }),
  ],
  record_identical: [
    recordsOf(A, A),
    recordsOf(TXT, { ...TXT, content: 'v=spf1 -all' }),
    recordsOf(TXT, { ...TXT, content: '"v=spf1 " "-all"' }),
    recordsOf(MX, { ...MX, content: 'MX.other.test.' }),
    async (it) => {
      await add(it, A)
      const { body } = await add(it, { ...A, content: '192.0.2.2' })
      return it.call('PATCH', `${it.path}/dns_records/${body.result.id}`, { content: A.content })
    },
  ],
  cname_beside_address: [
    recordsOf(A, CNAME),
    recordsOf({ ...A, type: 'AAAA', content: '::1' }, CNAME),
    recordsOf(CNAME, { ...CNAME, content: 'another.other.test' }),
  ],
  address_beside_cname: [recordsOf(CNAME, A)],
  ns_beside_others: [recordsOf(A, NS), recordsOf(NS, { ...TXT, name: 'www' })],
  record_absent: [
    ({ call, path }) => call('GET', `${path}/dns_records/${NOBODY}`),
    ({ call, path }) => call('DELETE', `${path}/dns_records/${NOBODY}`),
    ({ call, path }) => call('PUT', `${path}/dns_records/${NOBODY}`, A),
    ({ call, path }) => call('PATCH', `${path}/dns_records/${NOBODY}`, A),
    ({ call, path }) => call('POST', `${path}/dns_records/batch`, { deletes: [{ id: NOBODY }] }),
    ({ call, path }) => call('POST', `${path}/dns_records/batch`, { puts: [A] }),
  ],
  record_quota: [recordsOf(A, { ...A, name: 'b' }, { ...A, name: 'c' }, { ...A, name: 'd' })],
  batch_too_large: [
    ({ call, path }) =>
      call('POST', `${path}/dns_records/batch`, {
        deletes: [{ id: NOBODY }],
        posts: [A, { ...A, name: 'b' }],
      }),
  ],
  content_a: [recordsOf({ ...A, content: '::1' }), recordsOf({ ...A, content: undefined })],
  content_aaaa: [recordsOf({ ...A, type: 'AAAA' })],
  content_cname: [
    recordsOf({ ...CNAME, content: '192.0.2.1' }),
    recordsOf({ ...CNAME, content: 'www.acme.test' }),
    recordsOf({ ...CNAME, content: 'a b' }),
  ],
  content_invalid: [
    recordsOf({ ...MX, content: '192.0.2.1' }),
    recordsOf({ ...NS, content: '.' }),
    recordsOf({ type: 'SRV', name: '_a._tcp', data: { ...SRV, port: 65_536 } }),
    recordsOf({ type: 'SRV', name: '_a._tcp', data: { ...SRV, target: '' } }),
    recordsOf({ type: 'CAA', name: '@', data: { flags: 256, tag: 'issue', value: '' } }),
    recordsOf({ type: 'CAA', name: '@', data: { flags: 0, tag: 'is sue', value: '' } }),
  ],
  content_too_long: [
    recordsOf({ ...TXT, content: 'x'.repeat(4090) }),
    recordsOf(
      { ...TXT, content: 'x'.repeat(4000) },
      { ...TXT, content: 'y'.repeat(4000) },
      { ...TXT, content: 'z'.repeat(200) },
    ),
  ],
  content_txt: [
    recordsOf({ ...TXT, content: '"open' }),
    recordsOf({ ...TXT, content: '"a" b "c"' }),
    recordsOf({ ...TXT, content: '"a"b"' }),
    recordsOf({ ...TXT, content: '' }),
    recordsOf({ ...TXT, content: 'say "no"' }),
  ],
  data_missing: [
    recordsOf({ type: 'SRV', name: '_a._tcp', content: '1 1 1 host.other.test' }),
    recordsOf({ type: 'CAA', name: '@', content: '0 issue "ca.test"' }),
  ],
  priority_missing: [
    recordsOf({ ...MX, priority: undefined }),
    recordsOf({ ...MX, priority: -1 }),
    recordsOf({ ...MX, priority: '10' }),
  ],
  type_invalid: [recordsOf({ ...A, type: 'LOC' }), recordsOf({ ...A, type: undefined })],
  name_invalid: [
    recordsOf({ ...A, name: 'a..b' }),
    recordsOf({ ...A, name: 'a b' }),
    recordsOf({ ...A, name: 'a.*.b' }),
    recordsOf({ ...A, name: 'x'.repeat(64) }),
    recordsOf({ ...A, name: 'x.'.repeat(125) }),
    recordsOf({ ...A, name: undefined }),
  ],
  apex_ns: [recordsOf({ ...NS, name: '@' })],
  ttl_invalid: [59, 30, 2, 0, 86_401, 60.5, '60'].map((ttl) => recordsOf({ ...A, ttl })),
  unproxiable: [recordsOf({ ...TXT, proxied: true }), recordsOf({ ...A, proxied: 'yes' })],
  comment_invalid: [recordsOf({ ...A, comment: 'two\nlines' }), recordsOf({ ...A, comment: 7 })],
  tags_invalid: [recordsOf({ ...A, tags: 'a:b' }), recordsOf({ ...A, tags: ['a b:c'] })],
  tags_quota: [recordsOf({ ...A, tags: ['owner:mailstead'] })],
  entrypoint_absent: [({ call, path }) => call('GET', `${path}${ENTRYPOINT}`)],
  ruleset_absent: [
    ({ call, path }) => call('POST', `${path}/rulesets/${NOBODY}/rules`, RULE),
    ({ call, path }) => call('DELETE', `${path}/rulesets/${NOBODY}/rules/${NOBODY}`),
  ],
  rule_absent: [
    async (it) => {
      const { id } = (await rulesOf(RULE)(it)).body.result
      return it.call('DELETE', `${it.path}/rulesets/${id}/rules/${NOBODY}`)
    },
    rulesOf({ ...RULE, id: NOBODY }),
  ],
  rule_invalid: [
    rulesOf({ ...RULE, action: 'block' }),
    rulesOf({ ...RULE, expression: '' }),
    rulesOf({ ...RULE, enabled: 'yes' }),
    rulesOf({ ...RULE, action_parameters: {} }),
    rulesOf({ ...RULE, action_parameters: { from_value: { target_url: {} } } }),
    rulesOf({
      ...RULE,
      action_parameters: { from_value: { status_code: 200, target_url: { value: 'x' } } },
    }),
    ({ call, path }) => call('PUT', `${path}${ENTRYPOINT}`, { rules: RULE }),
    async (it) => {
      const { id, rules } = (await rulesOf(RULE)(it)).body.result
      const [rule] = rules as { id: string }[]
      const half = { description: 'only this' }
      return it.call('PATCH', `${it.path}/rulesets/${id}/rules/${rule!.id}`, half)
    },
  ],
  field_unknown: [
    ({ call, path }) => call('PUT', `${path}${ENTRYPOINT}`, { rules: [], kind: 'zone' }),
  ],
}

/** Small limits, where a refusal needs them. */
const OPTIONS: Partial<Record<RefusalKind, CloudflareEmulatorOptions>> = {
  zone_banned: { banned: ['Banned.test'] },
  record_quota: { recordsPerZone: 3 },
  batch_too_large: { batchLimit: 2 },
}

for (const [kind, ways] of Object.entries(REFUSED)) {
  test(`refused as ${kind}: ${ways.length} ways to get there`, async () => {
    const expected = REFUSALS[kind as RefusalKind]
    for (const provoke of ways) {
      await using it = await withZone(OPTIONS[kind as RefusalKind])
      const { status, body } = await provoke(it)
      const [error] = body.errors
      const codes = [status, error?.error_chain?.[0]?.code ?? error?.code, error?.code]
      const outer = 'under' in expected ? expected.under?.code : undefined
      assert.deepEqual(codes, [expected.status, expected.code, outer ?? expected.code])
      assert.doesNotMatch(JSON.stringify(body), /\{\}/)
      assert.deepEqual([body.success, body.result, body.messages], [false, null, []])
    }
  })
}

test('a refused change leaves the zone, its records and the DNS as they were', async () => {
  await using it = await withZone()
  const { body } = await add(it, A)
  await it.call('PATCH', `${it.path}/dns_records/${body.result.id}`, { ttl: 5 })
  await it.call('PUT', `${it.path}/dns_records/${body.result.id}`, { ...A, content: 'x' })
  const after = await it.call('GET', `${it.path}/dns_records/${body.result.id}`)
  assert.deepEqual(after.body.result, body.result)
  assert.deepEqual(namesOf((await it.dig('www.acme.test', 'A')).answers), ['192.0.2.1'])
})

test('the SDK gives the status and the errors of a refusal', async () => {
  await using it = await withZone()
  await assert.rejects(it.create(), (error) => {
    assert.ok(error instanceof Cloudflare.BadRequestError)
    assert.equal(error.status, 400)
    assert.deepEqual(error.errors, [{ code: 1061, message: 'acme.test already exists' }])
    return true
  })
  const zone_id = NOBODY
  await assert.rejects(it.sdk.zones.get({ zone_id }), Cloudflare.NotFoundError)
  it.emulator.revoke()
  await assert.rejects(it.sdk.zones.get({ zone_id }), Cloudflare.PermissionDeniedError)
  it.emulator.restore()
  await it.sdk.zones.get({ zone_id: it.zoneId })
})

test('a token without rights sees no zone, which is not the same as there being none', async () => {
  await using it = await withZone()
  it.emulator.forbid()
  assert.deepEqual((await it.sdk.zones.list()).result, [])
  assert.deepEqual(it.emulator.holdings().zones, ['acme.test'])
  it.emulator.allow()
  assert.equal((await it.sdk.zones.list()).result.length, 1)
})

test('a zone held by another account is refused, and not listed', async () => {
  await using it = await bench()
  it.emulator.otherAccountHolds('acme.test')
  await assert.rejects(it.create(), { status: 400 })
  assert.deepEqual((await it.sdk.zones.list({ name: 'acme.test' })).result, [])
})

test('zones below one another are for those who may have them', async () => {
  await using it = await bench({ subdomains: true })
  await it.create('acme.test')
  assert.equal((await it.create('mail.acme.test')).name, 'mail.acme.test')
})

test('over the budget every call is refused, for as long as the block lasts', async () => {
  let nowMs = 0
  const now = () => new Date(nowMs)
  await using it = await bench({ requestsPerFiveMinutes: 2, blockMs: 20_000, now })
  const asked = async () => {
    const { status, headers } = await it.call('GET', '/zones')
    return [status, headers.get('ratelimit'), headers.get('retry-after')]
  }
  assert.deepEqual(await asked(), [200, '"default";r=1;t=300', null])
  nowMs = 1_500
  assert.deepEqual(await asked(), [200, '"default";r=0;t=299', null])
  assert.deepEqual(await asked(), [429, '"default";r=0;t=20', '20'])
  nowMs = 21_499
  assert.deepEqual(await asked(), [429, '"default";r=0;t=1', '1'])
  nowMs = 21_500
  assert.deepEqual(await asked(), [200, '"default";r=1;t=300', null])
  const { headers } = await it.call('GET', '/zones')
  assert.equal(headers.get('ratelimit-policy'), '"default";q=2;w=300')
})

test('faults strike in the words of the API, before or after a change took effect', async () => {
  await using it = await withZone()
  it.emulator.faults.add({ kind: 'broken', method: 'POST' })
  assert.equal((await add(it, A)).status, 503)
  assert.equal(it.emulator.holdings().records, 0)
  it.emulator.faults.add({ kind: 'broken_after', method: 'POST' })
  assert.equal((await add(it, A)).status, 503)
  assert.equal(it.emulator.holdings().records, 1)
  assert.equal((await add(it, A)).body.errors[0]!.code, 81058)
  it.emulator.faults.add({ kind: 'throttled_for_1s' })
  assert.equal((await add(it, A)).headers.get('retry-after'), '1')
})

// Against the types of the SDK.

/** The types say that a comment is a string; the API is known to answer null where there is none. */
const commentless = (record: object) => ({ ...record, comment: '' })

const expectShape = (check: CheckShape, type: string, value: unknown) =>
  assert.deepEqual(check(type, value), [])

test('the checker of shapes finds what does not fit', { skip }, () => {
  const check = sdkShapes(contracts!)
  assert.deepEqual(check('ZoneDeleteResult', {}), ['ZoneDeleteResult.id is missing'])
  assert.equal(check('RecordResult', { ...A, ttl: 'x' }).length > 0, true)
  assert.equal(check('RecordBatchResult', { posts: {} }).length, 1)
})

test('answers about zones have the shape that the SDK expects', { skip }, async () => {
  const check = sdkShapes(contracts!)
  await using it = await withZone()
  expectShape(check, 'ZoneResult', (await it.call('GET', it.path)).body.result)
  const checked = await it.call('PUT', `${it.path}/activation_check`)
  expectShape(check, 'ActivationCheckResult', checked.body.result)
  it.emulator.activate('acme.test')
  const [listed] = (await it.call('GET', '/zones')).body.result as unknown as unknown[]
  expectShape(check, 'ZoneResult', listed)
  expectShape(check, 'ZoneDeleteResult', (await it.call('DELETE', it.path)).body.result)
})

test('answers about records have the shape that the SDK expects', { skip }, async () => {
  const check = sdkShapes(contracts!)
  await using it = await withZone()
  const records = [
    A,
    { ...A, type: 'AAAA', content: '::1' },
    { ...CNAME, name: 'alias' },
    MX,
    { ...NS, name: 'sub' },
    TXT,
    { type: 'SRV', name: '_a._tcp', data: SRV },
    { type: 'CAA', name: '@', data: { flags: 0, tag: 'issue', value: 'ca.test' } },
  ]
  const { body } = await it.call('POST', `${it.path}/dns_records/batch`, { posts: records })
  const posts = body.result.posts as { id: string }[]
  expectShape(check, 'RecordBatchResult', { posts: posts.map(commentless) })
  const { id } = posts[0]!
  const patch = { ...A, comment: 'ours' }
  const patched = await it.call('PATCH', `${it.path}/dns_records/${id}`, patch)
  expectShape(check, 'RecordResult', patched.body.result)
  const removed = await it.call('DELETE', `${it.path}/dns_records/${id}`)
  expectShape(check, 'RecordDeleteResult', removed.body.result)
})

test('answers about redirect rules have the shape that the SDK expects', { skip }, async () => {
  const check = sdkShapes(contracts!)
  await using it = await withZone()
  const { body } = await rulesOf(RULE)(it)
  const [rule] = body.result.rules as unknown[]
  expectShape(check, 'RedirectRuleBody', RULE)
  expectShape(check, 'RedirectRuleResult', rule)
})
