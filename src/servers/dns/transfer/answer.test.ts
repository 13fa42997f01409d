import assert from 'node:assert/strict'
import { test } from 'node:test'
import packet, { type DecodedPacket, type RecordType } from 'dns-packet'
import fc from 'fast-check'
import { nameToWire } from '#dns/name.ts'
import { parseTsigKey, signQuery } from '#dns/tsig.ts'
import type { RRset } from '#drivers/zone/contract.ts'
import type { Transport } from '../answer.ts'
import { Responder } from '../responder.ts'
import { encodeZone } from '../store/encode.ts'
import { ZoneStore } from '../store/store.ts'
import { StoreView } from '../store/view.ts'
import type { ServedZone } from '../zone.ts'
import { TransferAnswers } from './answer.ts'
import { Catalog } from './catalog.ts'
import { ServedZones } from './served.ts'

const key = (name: string) =>
  parseTsigKey(`${name}:hmac-sha256:${Buffer.alloc(32, name[0]).toString('base64')}`)
const [KEY, NEXT_KEY, STRANGERS_KEY] = [
  key('now.example'),
  key('next.example'),
  key('evil.example'),
]
const NOW_S = 1_800_000_000
const LISTED = '192.0.2.9'

const NAMESERVERS = ['ns1.example.net.', 'ns2.example.net.']
const zone = (apex: string, more: Partial<ServedZone> = {}): ServedZone => ({
  apex,
  nameservers: NAMESERVERS,
  serial: 7,
  memberId: `id-${apex.split('.')[0]}`,
  rrsets: [{ name: `www.${apex}`, type: 'A', ttl: 60, data: ['192.0.2.1'] }],
  ...more,
})
/** Some 60 kB. */
const LARGE: RRset[] = Array.from({ length: 300 }, (_, index) => ({
  name: `t${index}.large.example.`,
  type: 'TXT',
  ttl: 60,
  data: ['x'.repeat(200)],
}))

/** The zones of a store as they are answered with, and as secondaries are given them. */
class TestZones {
  readonly #store = new ZoneStore()
  readonly source = new ServedZones(this.#store)
  readonly #responder = new Responder(new StoreView(this.#store.shared))

  constructor(...zones: readonly ServedZone[]) {
    for (const each of zones) this.set(each)
  }

  set(served: ServedZone): void {
    this.#store.put(encodeZone(served).blob)
    this.source.setMember(served.apex, served.memberId)
  }

  readonly answer = (query: Buffer, transport: Transport): Buffer => {
    const out = Buffer.alloc(65_535)
    return out.subarray(0, this.#responder.answer(query, 0, query.length, transport, out, 0))
  }
}

function world() {
  const zones = new TestZones(
    zone('acme.example.'),
    zone('large.example.', { rrsets: LARGE }),
    zone('sandbox.test.', { memberId: undefined as never }),
    zone('mail.acme.example.', { isUnconfirmed: true }),
  )
  const catalog = new Catalog('catalog.example.net.')
  catalog.replace(
    3,
    [['acme.example.', 'id-acme']],
    [
      { name: 'old.example.', memberId: 'id-old', isAdded: false },
      { name: 'acme.example.', memberId: 'id-acme', isAdded: true },
    ],
  )
  const answers = new TransferAnswers({
    source: zones.source,
    catalog,
    keys: [KEY, NEXT_KEY],
    addresses: [LISTED, '2001:db8::9'],
    ordinary: zones.answer,
    nowS: () => NOW_S,
  })
  return { zones, catalog, answers }
}

type Asking = {
  key?: typeof KEY
  transport?: Transport
  from?: string
  serial?: number
  signedS?: number
  edit?: (message: Buffer) => Buffer
}

function queryOf(question: string, { serial }: Asking = {}): Buffer {
  const [name = '', type = 'A'] = question.split(' ')
  const known = { mname: '.', rname: '.', refresh: 1, retry: 1, expire: 1, minimum: 1 }
  return packet.encode({
    type: 'query',
    id: 4711,
    questions: [{ name: name.replace(/\.$/, ''), type: type as RecordType }],
    authorities:
      serial === undefined ? [] : [{ type: 'SOA', name, ttl: 0, data: { ...known, serial } }],
  })
}

/** The messages of the reply as they are on the wire; undefined where the ordinary answer is left to answer. */
function wire(answers: TransferAnswers, question: string, asking: Asking = {}) {
  const { key: signing, transport = 'tcp', from = '198.51.100.1', edit = (m) => m } = asking
  const query = queryOf(question, asking)
  const sent = signing ? signQuery(query, signing, asking.signedS ?? NOW_S).message : query
  return answers.answer(edit(sent), transport, from)
}

type Message = DecodedPacket & { rcode: string }

function ask(question: string, asking: Asking = {}, { answers } = world()) {
  const messages = wire(answers, question, asking)
  return messages && [...messages].map((message) => packet.decode(message) as Message)
}

/** RCODE and answers of all messages, a record as `name type data`. */
function told(question: string, asking: Asking = {}, in_ = world()): string[] | undefined {
  const messages = ask(question, asking, in_)
  if (messages === undefined) return undefined
  const rcodes = [...new Set(messages.map(({ rcode }) => rcode))]
  return [...rcodes, ...messages.flatMap(({ answers = [] }) => answers.map(line))]
}

function line(record: unknown): string {
  const { name, type, data } = record as { name: string; type: string; data: unknown }
  if (type === 'SOA') return `${name} SOA ${(data as { serial: number }).serial}`
  return `${name} ${type} ${([] as unknown[]).concat(data).join('')}`
}

const ACME = [
  'acme.example SOA 7',
  'acme.example NS ns1.example.net',
  'acme.example NS ns2.example.net',
  'www.acme.example A 192.0.2.1',
  'acme.example SOA 7',
]
const CATALOG = [
  'catalog.example.net SOA 3',
  'catalog.example.net NS invalid',
  'version.catalog.example.net TXT 2',
  'id-acme.zones.catalog.example.net PTR acme.example',
  'catalog.example.net SOA 3',
]
const tampered = (message: Buffer) => {
  message[14]! ^= 1
  return message
}

const TOLD: [sentence: string, question: string, Asking, expected: string[] | undefined][] = [
  ['a zone whole', 'acme.example AXFR', { key: KEY }, ['NOERROR', ...ACME]],
  ['by the second key', 'acme.example AXFR', { key: NEXT_KEY }, ['NOERROR', ...ACME]],
  ['to a listed address', 'acme.example AXFR', { from: LISTED }, ['NOERROR', ...ACME]],
  [
    'to a listed IPv6 address',
    'acme.example AXFR',
    { from: '2001:db8:0::9' },
    ['NOERROR', ...ACME],
  ],
  [
    'in any case',
    'ACME.Example AXFR',
    { key: KEY },
    ['NOERROR', ...ACME.map((l) => l.replace('acme.example', 'ACME.Example'))],
  ],
  ['the catalog whole', 'catalog.example.net AXFR', { key: KEY }, ['NOERROR', ...CATALOG]],
  [
    'IXFR: the SOA alone when there is nothing newer',
    'acme.example IXFR',
    { key: KEY, serial: 7 },
    ['NOERROR', ACME[0]!],
  ],
  [
    'IXFR: the same when the secondary is ahead',
    'acme.example IXFR',
    { key: KEY, serial: 8 },
    ['NOERROR', ACME[0]!],
  ],
  [
    'IXFR: the zone whole when it is behind',
    'acme.example IXFR',
    { key: KEY, serial: 6 },
    ['NOERROR', ...ACME],
  ],
  [
    'IXFR: behind, across the end of serials',
    'acme.example IXFR',
    { key: KEY, serial: 2 ** 32 - 1 },
    ['NOERROR', ...ACME],
  ],
  [
    'IXFR by UDP: the SOA alone, for the rest is asked by TCP',
    'acme.example IXFR',
    { key: KEY, serial: 6, transport: 'udp' },
    ['NOERROR', ACME[0]!],
  ],
  ['IXFR without a serial', 'acme.example IXFR', { key: KEY }, ['FORMERR']],
  [
    'IXFR of the catalog: what has changed',
    'catalog.example.net IXFR',
    { key: KEY, serial: 2 },
    [
      'NOERROR',
      'catalog.example.net SOA 3',
      'catalog.example.net SOA 2',
      'catalog.example.net SOA 3',
      'id-acme.zones.catalog.example.net PTR acme.example',
      'catalog.example.net SOA 3',
    ],
  ],
  [
    'IXFR of the catalog: whole, when that is shorter',
    'catalog.example.net IXFR',
    { key: KEY, serial: 1 },
    ['NOERROR', ...CATALOG],
  ],
  ['AXFR by UDP', 'acme.example AXFR', { key: KEY, transport: 'udp' }, ['REFUSED']],
  ['a zone that is not ours', 'other.example AXFR', { key: KEY }, ['NOTAUTH']],
  ['a name within a zone of ours', 'www.acme.example AXFR', { key: KEY }, ['NOTAUTH']],
  ['a zone that is shadowed by the one above', 'mail.acme.example AXFR', { key: KEY }, ['NOTAUTH']],
  ['a zone that secondaries are not given', 'sandbox.test AXFR', { key: KEY }, ['NOTAUTH']],
  ['no key', 'acme.example AXFR', {}, ['REFUSED']],
  ['no key, by IXFR', 'acme.example IXFR', { serial: 1 }, ['REFUSED']],
  ['no key, and a name that is not ours: the same', 'other.example AXFR', {}, ['REFUSED']],
  ['a key we do not know', 'acme.example AXFR', { key: STRANGERS_KEY }, ['NOTAUTH']],
  [
    'a key we do not know, from a listed address',
    'acme.example AXFR',
    { key: STRANGERS_KEY, from: LISTED },
    ['NOTAUTH'],
  ],
  [
    'our key with another secret',
    'acme.example AXFR',
    { key: { ...STRANGERS_KEY, name: KEY.name } },
    ['NOTAUTH'],
  ],
  ['replayed after its time', 'acme.example AXFR', { key: KEY, signedS: NOW_S - 301 }, ['NOTAUTH']],
  ['tampered with', 'acme.example AXFR', { key: KEY, edit: tampered }, ['NOTAUTH']],
  [
    'octets behind the signature',
    'acme.example AXFR',
    { key: KEY, edit: (m) => Buffer.concat([m, m]) },
    ['FORMERR'],
  ],
  ['the catalog without a key', 'catalog.example.net AXFR', {}, ['REFUSED']],
  [
    'the SOA of the catalog without a key',
    'catalog.example.net SOA',
    { transport: 'udp' },
    ['REFUSED'],
  ],
  [
    'a member of the catalog without a key',
    'id-acme.zones.CATALOG.example.net PTR',
    { transport: 'udp' },
    ['REFUSED'],
  ],
  [
    'a name within the catalog, with a key',
    'version.catalog.example.net TXT',
    { key: KEY },
    ['REFUSED'],
  ],
  [
    'the SOA of the catalog',
    'catalog.example.net SOA',
    { key: KEY, transport: 'udp' },
    ['NOERROR', 'catalog.example.net SOA 3'],
  ],
  [
    'the NS of the catalog',
    'catalog.example.net NS',
    { key: KEY },
    ['NOERROR', 'catalog.example.net NS invalid'],
  ],
  [
    'any question, when it is signed',
    'www.acme.example A',
    { key: KEY, transport: 'udp' },
    ['NOERROR', 'www.acme.example A 192.0.2.1'],
  ],
  ['an ordinary question is left to the ordinary answer', 'www.acme.example A', {}, undefined],
  ['and so is one from a listed address', 'acme.example SOA', { from: LISTED }, undefined],
  ['and one that only ends like the catalog', 'xcatalog.example.net SOA', {}, undefined],
]

for (const [sentence, question, asking, expected] of TOLD) {
  test(`secondaries are told: ${sentence}`, () => {
    assert.deepEqual(told(question, asking), expected)
  })
}

test('every reply to a signed query is signed, and the others are not', () => {
  const last = (question: string, asking: Asking) =>
    ask(question, asking)!.at(-1)!.additionals!.at(-1)
  for (const question of ['acme.example AXFR', 'other.example AXFR', 'www.acme.example A'])
    assert.equal(String(last(question, { key: KEY })?.type), 'TSIG')
  assert.equal(last('acme.example AXFR', {}), undefined)
})

test('a large zone goes in messages of 16 kB at most, each with the question, AA and a signature', () => {
  const { answers } = world()
  const messages = [...wire(answers, 'large.example AXFR', { key: KEY })!]
  assert.ok(messages.length >= 4, String(messages.length))
  const decoded = messages.map((message) => packet.decode(message) as Message)
  for (const [index, message] of messages.entries()) {
    assert.ok(message.length <= 16_384, String(message.length))
    const { id, questions, flag_aa, additionals } = decoded[index]!
    assert.deepEqual([id, questions?.[0]?.name, flag_aa], [4711, 'large.example', true])
    assert.equal(String(additionals?.at(-1)?.type), 'TSIG')
  }
  const records = decoded.flatMap(({ answers: each = [] }) => each)
  assert.equal(records.length, LARGE.length + 2 + 2)
})

test('a transfer is of one version, whatever changes meanwhile', () => {
  const { zones, answers } = world()
  const messages = wire(answers, 'large.example AXFR', { key: KEY })![Symbol.iterator]()
  const first = messages.next()
  zones.set(zone('large.example.', { serial: 8, rrsets: [] }))
  const rest = [...{ [Symbol.iterator]: () => messages }]
  const decoded = [first.value as Buffer, ...rest].map(
    (message) => packet.decode(message) as Message,
  )
  const records = decoded.flatMap(({ answers: each = [] }) => each)
  assert.equal(records.length, LARGE.length + 2 + 2)
  assert.equal(line(records.at(-1)), 'large.example SOA 7')
})

test('a catalog that changes during its transfer is sent as it was', () => {
  const { catalog, answers } = world()
  const messages = wire(answers, 'catalog.example.net AXFR', { key: KEY })!
  const begun = messages[Symbol.iterator]()
  const first = begun.next()
  catalog.apply([{ name: 'new.example.', memberId: 'id-new', isAdded: true }])
  assert.deepEqual((packet.decode(first.value as Buffer).answers ?? []).map(line), CATALOG)
})

test('long transfers are 16 at once; one more is told SERVFAIL, signed, until another ends', () => {
  const { answers } = world()
  const begin = () => wire(answers, 'large.example AXFR', { key: KEY })![Symbol.iterator]()
  const rcodeOf = (message: Buffer) => (packet.decode(message) as Message).rcode
  const begun = Array.from({ length: 16 }, begin)
  for (const transfer of begun) {
    transfer.next()
    transfer.next()
  }
  const refused = [...{ [Symbol.iterator]: begin }]
  assert.deepEqual(refused.map(rcodeOf), ['SERVFAIL'])
  assert.equal(String(packet.decode(refused[0]!).additionals?.at(-1)?.type), 'TSIG')
  assert.deepEqual(told('acme.example AXFR', { key: KEY }, { ...world(), answers })?.[0], 'NOERROR')
  begun[0]!.return?.() // As when its client is gone.
  assert.equal(rcodeOf(begin().next().value as Buffer), 'NOERROR')
})

test('a catalog that has not been read yet is not there: SERVFAIL, and never an empty one', () => {
  const { zones } = world()
  const answers = new TransferAnswers({
    source: zones.source,
    catalog: new Catalog('catalog.example.net.'),
    keys: [KEY],
    addresses: [],
    ordinary: () => undefined,
    nowS: () => NOW_S,
  })
  for (const type of ['SOA', 'AXFR'])
    assert.deepEqual(told(`catalog.example.net ${type}`, { key: KEY }, { ...world(), answers }), [
      'SERVFAIL',
    ])
})

test('a signed answer that does not fit into a UDP packet with its signature sends to TCP', () => {
  const { zones, answers } = world()
  const data = Array.from({ length: 4 }, (_, index) => `${index}${'x'.repeat(95)}`)
  zones.set(
    zone('acme.example.', { rrsets: [{ name: 'acme.example.', type: 'TXT', ttl: 1, data }] }),
  )
  const [udp, tcp] = (['udp', 'tcp'] as const).map(
    (transport) =>
      ask('acme.example TXT', { key: KEY, transport }, { zones, answers } as never)![0]!,
  )
  assert.deepEqual([udp!.flag_tc, udp!.answers?.length], [true, 0])
  assert.deepEqual([tcp!.flag_tc, tcp!.answers?.length], [false, 4])
  assert.ok(packet.encode(tcp!).length > 0)
})

test('a query that cannot be read is left to the ordinary answer', () => {
  const { answers } = world()
  const whole = queryOf('acme.example AXFR')
  for (let length = 0; length < whole.length; length++)
    assert.equal(answers.answer(whole.subarray(0, length), 'tcp', LISTED), undefined)
  assert.equal(
    answers.answer(Buffer.concat([whole.subarray(0, 12), nameToWire('.')]), 'tcp', LISTED),
    undefined,
  )
})

test('property: no octets make it throw, and a stranger is never given a record of a zone', () => {
  const { answers } = world()
  const seeds = [
    'large.example AXFR',
    'acme.example IXFR',
    'catalog.example.net SOA',
    'acme.example A',
  ].map((question) => signQuery(queryOf(question, { serial: 1 }), STRANGERS_KEY, NOW_S).message)
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(change, { maxLength: 8 }),
      fc.boolean(),
      (seed, changes, isUdp) => {
        const message = Buffer.from(seed)
        for (const [at, octet] of changes) message[at % message.length] = octet
        for (const reply of answers.answer(message, isUdp ? 'udp' : 'tcp', '198.51.100.1') ?? [])
          assert.equal(reply.readUInt16BE(6), 0)
      },
    ),
    { numRuns: 20_000 },
  )
})
