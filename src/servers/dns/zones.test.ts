import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RRset } from '#drivers/zone/contract.ts'
import { dig, zonesOf } from './dig.ts'
import type { ServedZone } from './zone.ts'

const PAIR = ['ada.pool.test.', 'bob.pool.test.']
const OTHER_PAIR = ['cat.pool.test.', 'dog.pool.test.']

const ns = (name: string, ...data: string[]): RRset => ({ name, type: 'NS', ttl: 300, data })
const txt = (name: string, text: string): RRset => ({ name, type: 'TXT', ttl: 300, data: [text] })

function zone(apex: string, nameservers: readonly string[], ...rrsets: RRset[]): ServedZone {
  return { apex, nameservers, serial: 1, rrsets: [txt(apex, `zone ${apex}`), ...rrsets] }
}

const CHILD = zone('mail.acme.test.', OTHER_PAIR, txt('x.mail.acme.test.', 'from the child'))
const ASKED = 'x.mail.acme.test. TXT'

/** Every zone set that holds the child, and whether the child is the one to answer. */
const ROWS: [sentence: string, others: ServedZone[], answers: boolean][] = [
  ['a child alone answers', [], true],
  ['a child never shadows a parent that has no cut', [zone('acme.test.', PAIR)], false],
  [
    'a child answers under a cut with exactly its nameservers',
    [zone('acme.test.', PAIR, ns('mail.acme.test.', ...OTHER_PAIR))],
    true,
  ],
  [
    'the order of the nameservers does not matter',
    [zone('acme.test.', PAIR, ns('mail.acme.test.', ...OTHER_PAIR.toReversed()))],
    true,
  ],
  [
    'a cut with another pair does not let the child answer',
    [zone('acme.test.', PAIR, ns('mail.acme.test.', ...PAIR))],
    false,
  ],
  [
    'nor does a cut with one nameserver too few',
    [zone('acme.test.', PAIR, ns('mail.acme.test.', OTHER_PAIR[0]!))],
    false,
  ],
  [
    'nor a cut with one too many',
    [zone('acme.test.', PAIR, ns('mail.acme.test.', ...OTHER_PAIR, PAIR[0]!))],
    false,
  ],
  [
    'nor a cut below the child',
    [zone('acme.test.', PAIR, ns('x.mail.acme.test.', ...OTHER_PAIR))],
    false,
  ],
  [
    'nor a cut that is occluded by a higher one',
    [zone('test.', PAIR, ns('acme.test.', 'ns.elsewhere.'), ns('mail.acme.test.', ...OTHER_PAIR))],
    false,
  ],
  ['nor a cut above the child', [zone('test.', PAIR, ns('acme.test.', ...OTHER_PAIR))], false],
  [
    'nor a cut in a zone that is itself shadowed',
    [zone('test.', PAIR), zone('acme.test.', PAIR, ns('mail.acme.test.', ...OTHER_PAIR))],
    false,
  ],
  ['nor a wildcard', [zone('acme.test.', PAIR, ns('*.acme.test.', ...OTHER_PAIR))], false],
  ['a parent is shadowed by the root alike', [zone('.', PAIR)], false],
  [
    'a parent that is merely claimed shadows nothing that is held',
    [{ ...zone('acme.test.', PAIR), isUnconfirmed: true }],
    true,
  ],
  [
    'delegations chain from the root down',
    [
      zone('.', PAIR, ns('acme.test.', ...PAIR)),
      zone('acme.test.', PAIR, ns('mail.acme.test.', ...OTHER_PAIR)),
    ],
    true,
  ],
]

for (const [sentence, others, answers] of ROWS) {
  test(`shadowing: ${sentence}`, () => {
    for (const order of [
      [CHILD, ...others],
      [...others, CHILD],
    ]) {
      const { answer } = dig(zonesOf(...order), ASKED)
      assert.equal(answer.length > 0, answers)
    }
  })
}

test('shadowing: a child that is deleted gives way to the referral of its parent', () => {
  const zones = zonesOf(CHILD, zone('acme.test.', PAIR, ns('mail.acme.test.', ...OTHER_PAIR)))
  zones.delete(CHILD.apex)
  assert.equal(dig(zones, ASKED).status, 'NOERROR')
  zones.delete('acme.test.')
  assert.equal(dig(zones, ASKED).status, 'REFUSED')
})

test('shadowing: of two that are merely claimed, the child does not shadow', () => {
  const claimed = (each: ServedZone) => ({ ...each, isUnconfirmed: true })
  const zones = zonesOf(claimed(CHILD), claimed(zone('acme.test.', PAIR)))
  assert.equal(dig(zones, ASKED).answer.length, 0)
})

const PARENT: ServedZone = {
  ...zone('acme.test.', PAIR, ns('mail.acme.test.', ...OTHER_PAIR)),
  ds: [{ name: 'mail.acme.test.', data: ['1 13 2 abcd'] }],
}

test('ds at an apex: the parent answers if it is served here', () => {
  const { status, answer } = dig(zonesOf(PARENT, CHILD), 'mail.acme.test. DS')
  assert.equal(status, 'NOERROR aa')
  assert.deepEqual(answer, ['mail.acme.test. 300 DS 1 13 2 abcd'])
})

test('ds at an apex: without a DS the SOA is that of the parent', () => {
  const { authority } = dig(zonesOf({ ...PARENT, ds: [] }, CHILD), 'mail.acme.test. DS')
  assert.match(authority[0]!, /^acme\.test\. 60 SOA /)
})

test('ds at an apex: without the parent it is NODATA from the child', () => {
  const { status, authority } = dig(zonesOf(CHILD), 'mail.acme.test. DS')
  assert.equal(status, 'NOERROR aa')
  assert.match(authority[0]!, /^mail\.acme\.test\. 60 SOA /)
})

test('ds below an apex: the child answers for its own names', () => {
  const { authority } = dig(zonesOf(PARENT, CHILD), 'x.mail.acme.test. DS')
  assert.match(authority[0]!, /^mail\.acme\.test\. 60 SOA /)
})

test('an rrset that cannot be served is left out and reported, and the rest is served', () => {
  const zones = zonesOf()
  const bad: RRset[] = [
    { name: CHILD.apex, type: 'A', ttl: 60, data: ['192.0.2.256'] },
    { name: CHILD.apex, type: 'MX', ttl: -1, data: ['10 mx.test.'] },
    txt('acme.test.', 'outside the zone'),
    txt('x.mail.acme.test', 'a relative name'),
    txt('long.mail.acme.test.', 't'.repeat(65_000)),
  ]
  const unserved = zones.set({ ...CHILD, rrsets: [...bad, ...CHILD.rrsets] })
  assert.deepEqual(
    unserved.map(({ name, type }) => `${name} ${type}`),
    bad.map(({ name, type }) => `${name} ${type}`),
  )
  for (const { reason } of unserved) assert.notEqual(reason, '')
  assert.equal(dig(zones, ASKED).answer.length, 1)
  assert.equal(dig(zones, `${CHILD.apex} A`).status, 'NOERROR aa')
  assert.equal(dig(zones, `${CHILD.apex} SOA`).answer.length, 1)
})

test('a zone without nameservers throws and leaves the former one in place', () => {
  const zones = zonesOf(CHILD)
  assert.throws(() => zones.set({ ...CHILD, nameservers: [] }), RangeError)
  assert.equal(dig(zones, ASKED).answer.length, 1)
})
