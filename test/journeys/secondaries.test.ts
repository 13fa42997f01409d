/** Fleets of other makes beside our nameserver, set up by what docs/nameservers.md says. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import packet from 'dns-packet'
import { parseTsigKey, signQuery } from '#dns/tsig.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import { until } from '../client.ts'
import { missing } from '../needs.ts'
import { withoutPdns } from '../pdns.ts'
import {
  askAll,
  CATALOG,
  CatalogRows,
  freePorts,
  KEY,
  type Primary,
  type Question,
  type Secondary,
  startPowerDns,
  startPrimary,
  startSecondary,
  WRITTEN_KEY,
  without,
  ZoneRows,
} from '../secondaries.ts'

const ZONES = 1000
const LIMIT_MS = 60_000

const zoneOf = (
  name: string,
  version: number,
  memberId = `id-${name.split('.')[0]}`,
): ServedZone => ({
  apex: `${name}.`,
  nameservers: ['ns1.example.net.', 'ns2.example.net.'],
  serial: version,
  memberId,
  rrsets: [
    { name: `${name}.`, type: 'TXT', ttl: 60, data: [`version ${version}`] },
    { name: `${name}.`, type: 'MX', ttl: 60, data: ['10 mx.example.net.'] },
    {
      name: `s1._domainkey.${name}.`,
      type: 'TXT',
      ttl: 60,
      data: [`v=DKIM1; p=${'A'.repeat(392)}`],
    },
    { name: `*.${name}.`, type: 'A', ttl: 60, data: ['192.0.2.1'] },
  ],
})

const names = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `z${from + index}.example`)
const versions = (of: readonly string[], version: number | undefined) =>
  Object.fromEntries(
    of.map((name) => [name, version === undefined ? version : zoneOf(name, version)]),
  )

const EVERY: readonly Question[1][] = ['SOA', 'NS', 'MX', 'TXT']

/** What is answered for some names, each type at each and what lies below. */
async function answersOf(port: number, of: readonly string[]): Promise<string[]> {
  const questions = of.flatMap((name): Question[] => [
    ...EVERY.map((type) => [name, type] as const),
    [`s1._domainkey.${name}`, 'TXT'],
    [`any.${name}`, 'A'],
  ])
  const replies = await askAll(port, questions)
  return replies.map((reply, index) => {
    const { rcode } = (reply ?? { rcode: 'no answer' }) as { rcode: string }
    const data = (reply?.answers ?? []).map((record) =>
      JSON.stringify((record as { data: unknown }).data),
    )
    return `${questions[index]!.join(' ')} ${rcode} ${data.toSorted().join(' ')}`
  })
}

/** The names that a server does not have in this version; undefined is none, and REFUSED. */
async function namesAmiss(port: number, of: readonly string[], version: number | undefined) {
  const replies = await askAll(
    port,
    of.map((name) => [name, 'TXT']),
  )
  return of.filter((_, index) => {
    const reply = replies[index] as ({ rcode: string } & (typeof replies)[number]) | undefined
    const text = (reply?.answers?.[0] as { data?: unknown } | undefined)?.data
    if (version === undefined) return reply?.rcode !== 'REFUSED'
    return String(text) !== `version ${version}`
  })
}

async function has(secondary: Secondary, of: readonly string[], version: number | undefined) {
  const isDone = (amiss: readonly string[]) => amiss.length === 0
  await until(() => namesAmiss(secondary.port, of, version), isDone, LIMIT_MS).catch((error) => {
    throw new Error(`${error.message.slice(0, 300)}\n${secondary.log().slice(-2000)}`)
  })
}

/** A catalog of which one name was added, fetched as SOA, SOA, SOA, PTR and SOA. */
const ONE_CHANGE = {
  Knot: /\[catalog\.example\.net\.\] IXFR, incoming, .*finished/,
  BIND: /'catalog\.example\.net\/IN' from \S+ Transfer completed: 1 messages, 5 records/,
}

for (const make of ['Knot', 'BIND'] as const) {
  test(`${make} follows ${ZONES} zones that come, change and go, by the catalog`, {
    skip: without(make) ?? false,
  }, async () => {
    const [rows, catalog] = [new ZoneRows(), new CatalogRows()]
    rows.put(versions(names(0, 10), 1))
    const [port, primaryPort] = (await freePorts(2)) as [number, number]
    const notify = [{ address: '127.0.0.1', port }]
    const catalogSetting = { apex: CATALOG, store: catalog.store() }
    await using primary = await startPrimary(rows, {
      port: primaryPort,
      notify,
      catalog: catalogSetting,
    })
    await using secondary = await startSecondary(make, { port, primary: primaryPort })
    await has(secondary, names(0, 10), 1)

    const all = names(0, ZONES)
    rows.put(versions(names(10, ZONES), 1))
    await has(secondary, all, 1)
    const some = all.slice(0, 20)
    assert.deepEqual(await answersOf(port, some), await answersOf(primaryPort, some))

    rows.put(versions(all, 2))
    await has(secondary, all, 2)

    const [gone, kept] = [names(0, ZONES / 2), names(ZONES / 2, ZONES)]
    rows.put(versions(gone, undefined))
    await has(secondary, gone, undefined)
    await has(secondary, kept, 2)

    // Added anew: another member, whose serial need not be higher.
    rows.put({ [gone[0]!]: zoneOf(gone[0]!, 1, 'id-anew') })
    await has(secondary, gone.slice(0, 1), 1)
    // One that has not made a zone yet may refuse NOTIFY for it.
    const others = primary.troubles.filter((sentence) => !/refuses NOTIFY/.test(sentence))
    assert.deepEqual(others, [])
    assert.match(secondary.log(), ONE_CHANGE[make])
  })
}

test('NSD follows a zone that it is given by name', { skip: without('NSD') ?? false }, async () => {
  const rows = new ZoneRows()
  rows.put({ 'acme.example': zoneOf('acme.example', 1) })
  const [port, primaryPort] = (await freePorts(2)) as [number, number]
  await using _primary = await startPrimary(rows, {
    port: primaryPort,
    notify: [{ address: '127.0.0.1', port }],
  })
  await using secondary = await startSecondary('NSD', { port, primary: primaryPort })
  await has(secondary, ['acme.example'], 1)
  rows.put({ 'acme.example': zoneOf('acme.example', 2) })
  await has(secondary, ['acme.example'], 2)
  const answers = await answersOf(port, ['acme.example'])
  assert.deepEqual(answers, await answersOf(primaryPort, ['acme.example']))
})

test('PowerDNS takes the catalog by the key and its members by its address', {
  skip: withoutPdns ?? false,
}, async () => {
  const [rows, catalog] = [new ZoneRows(), new CatalogRows()]
  const all = names(0, 50)
  rows.put(versions(all, 1))
  const [port, primaryPort] = (await freePorts(2)) as [number, number]
  await using _primary = await startPrimary(rows, {
    port: primaryPort,
    notify: [{ address: '127.0.0.1', port }],
    addresses: ['127.0.0.1'],
    catalog: { apex: CATALOG, store: catalog.store() },
  })
  await using secondary = await startPowerDns({ port, primary: primaryPort })
  await has(secondary, all, 1)
  rows.put(versions(all, 2))
  await has(secondary, all, 2)
  rows.put(versions(all.slice(1), undefined))
  await has(secondary, all.slice(1), undefined)
  await has(secondary, all.slice(0, 1), 2)
})

/** Members of the catalog, as one process sees them. */
const membersOf = async (server: Primary): Promise<string> => {
  const socket = await connected(server.port)
  try {
    socket.write(transferQuery(CATALOG.slice(0, -1)))
    const [message] = (await once(socket, 'data')) as [Buffer]
    const { answers = [] } = packet.decode(message.subarray(2))
    const members = answers.flatMap((record) => (record.type === 'PTR' ? record.data : []))
    const serial = answers.flatMap((record) => (record.type === 'SOA' ? record.data.serial : []))[0]
    return `${serial} ${members.toSorted().join(' ')}`
  } finally {
    socket.destroy()
  }
}

test('two primaries have one catalog, in which a zone comes and goes with the one above it', async () => {
  const [rows, catalog] = [new ZoneRows(), new CatalogRows()]
  const settings = () => ({ catalog: { apex: CATALOG, store: catalog.store() } })
  const early = { ...zoneOf('mail.acme.example', 1, 'child'), isUnconfirmed: true }
  rows.put({ 'mail.acme.example': early })
  await using first = await startPrimary(rows, settings())
  await using second = await startPrimary(rows, settings())
  const both = (expected: string) =>
    until(
      () => Promise.all([membersOf(first), membersOf(second)]),
      (seen) => seen.every((members) => members === expected),
    )
  await both('2 mail.acme.example')
  // The zone above is another's, and does not delegate: the claim below takes nothing from it.
  rows.put({ 'acme.example': zoneOf('acme.example', 1, 'parent') })
  await both('4 acme.example')
  const { nameservers, rrsets, ...parent } = zoneOf('acme.example', 2, 'parent')
  const cut = { name: 'mail.acme.example.', type: 'NS' as const, ttl: 60, data: nameservers }
  rows.put({ 'acme.example': { ...parent, nameservers, rrsets: [...rrsets, cut] } })
  await both('5 acme.example mail.acme.example')
  rows.put({ 'acme.example': undefined })
  await both('6 mail.acme.example')
})

const withoutKdig = missing('kdig (Debian: knot-dnsutils)', () => existsSync('/usr/bin/kdig'))
const run = promisify(execFile)

test('kdig verifies every message of a transfer of many, by each algorithm', {
  skip: withoutKdig ?? false,
}, async () => {
  const rows = new ZoneRows()
  const rrsets = Array.from({ length: 400 }, (_, index) => ({
    name: `t${index}.acme.example.`,
    type: 'TXT' as const,
    ttl: 60,
    data: ['x'.repeat(250)],
  }))
  rows.put({ 'acme.example': { ...zoneOf('acme.example', 1), rrsets } })
  for (const algorithm of ['hmac-sha256', 'hmac-sha384', 'hmac-sha512']) {
    const secret = Buffer.alloc(64, algorithm).toString('base64')
    await using primary = await startPrimary(rows, {
      keys: [parseTsigKey(`k.example:${algorithm}:${secret}`)],
    })
    const options = [
      '@127.0.0.1',
      '-p',
      String(primary.port),
      '-y',
      `${algorithm}:k.example:${secret}`,
    ]
    const { stdout, stderr } = await run('kdig', [...options, 'acme.example', 'AXFR'], {
      maxBuffer: 2 ** 24,
    })
    assert.equal(stderr, '')
    assert.match(stdout, /\((\d\d) messages, 404 records\)|Received/)
    assert.equal(stdout.match(/\sTXT\s/g)?.length, 400)
    assert.ok((stdout.match(/\sTSIG\s/g)?.length ?? 0) >= 1)
  }
})

const withoutBatches = missing('Linux on x64 or arm64', () => process.platform === 'linux')
for (const sockets of ['batched', 'dgram'] as const) {
  const skip = withoutKdig ?? (sockets === 'batched' ? withoutBatches : undefined) ?? false
  test(`${sockets}: kdig is answered by a key, and told why not by another`, { skip }, () =>
    askBySeveralKeys(sockets),
  )
}

async function askBySeveralKeys(sockets: 'batched' | 'dgram'): Promise<void> {
  const rows = new ZoneRows()
  rows.put({ 'acme.example': zoneOf('acme.example', 1) })
  await using primary = await startPrimary(rows, { sockets })
  const [name, algorithm, secret] = WRITTEN_KEY.split(':') as [string, string, string]
  const wrong = Buffer.alloc(32, 'w').toString('base64')
  const table: [key: string, expected: RegExp, isAnswered: boolean][] = [
    [`${algorithm}:${name}:${secret}`, /\sTSIG\s/, true],
    [`${algorithm}:${name}:${wrong}`, /BADSIG|not verified/i, false],
    [`${algorithm}:unknown.example:${secret}`, /BADKEY|not verified/i, false],
  ]
  for (const [key, expected, isAnswered] of table) {
    const asked = run('kdig', [
      '@127.0.0.1',
      '-p',
      String(primary.port),
      '-y',
      key,
      'acme.example',
      'SOA',
    ])
    const { stdout, stderr } = await asked.catch(
      (error: { stdout: string; stderr: string }) => error,
    )
    assert.match(stdout + stderr, expected)
    assert.equal(/\sSOA\s+ns1/.test(stdout), isAnswered, stdout)
  }
}

const transferQuery = (name: string): Buffer => {
  const query = packet.encode({ type: 'query', id: 1, questions: [{ name, type: 'AXFR' }] })
  const { message } = signQuery(query, KEY, Date.now() / 1000)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

async function connected(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

test('clients that stop half-way through a query or a transfer hold nobody up', async () => {
  const rows = new ZoneRows()
  // 32 MB, more than the kernel keeps for a client that does not read.
  const data = ['x'.repeat(60_000)]
  const rrsets = Array.from({ length: 512 }, (_, index) => ({
    name: `t${index}.large.example.`,
    type: 'TXT' as const,
    ttl: 60,
    data,
  }))
  rows.put({
    'large.example': { ...zoneOf('large.example', 1), rrsets },
    'acme.example': zoneOf('acme.example', 1),
  })
  await using primary = await startPrimary(rows, {})
  const halted: Socket[] = []
  for (let client = 0; client < 16; client++) {
    const socket = await connected(primary.port)
    socket.write(
      client % 2 === 0
        ? transferQuery('large.example')
        : transferQuery('acme.example').subarray(0, 20),
    )
    halted.push(socket.pause())
  }
  const socket = await connected(primary.port)
  socket.write(transferQuery('acme.example'))
  const received = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
  assert.equal(packet.decode(received.subarray(2)).answers?.at(-1)?.type, 'SOA')
  collectGarbage()
  const memory = process.memoryUsage().arrayBuffers
  assert.ok(memory < 200 * 2 ** 20, `${memory} octets held`)
  for (const each of [...halted, socket]) each.destroy()
  assert.deepEqual(primary.troubles, [])
})
