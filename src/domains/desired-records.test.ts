import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NeededRecord, Purpose } from '#drivers/records.ts'
import type { RRset, RRsetType } from '#drivers/zone/contract.ts'
import {
  desiredRecords,
  desiredZone,
  redirectRecords,
  withoutConflicting,
} from './desired-records.ts'
import { planZone } from './plan.ts'
import type { OwnedRecord } from './ports.ts'

const DMARC = { policy: 'none', reportsTo: 'dmarc-1@acme.test' } as const

const needed = (
  purpose: Purpose,
  name: string,
  type: RRsetType,
  ...data: string[]
): NeededRecord => {
  return { name, type, ttl: 300, data, purpose }
}
const spf = (...data: string[]) => needed('spf', 'acme.test.', 'TXT', ...data)
const mx = (...data: string[]) => needed('mx', 'acme.test.', 'MX', ...data)
const dkim = (selector: string, value: string) =>
  needed('dkim', `${selector}._domainkey.acme.test.`, 'TXT', value)

/** What comes out, without the DMARC record that always does. */
const merged = (...records: NeededRecord[]): string[] =>
  desiredRecords('acme.test', records, DMARC)
    .filter(({ purpose }) => purpose !== 'dmarc')
    .map(({ name, type, value }) => `${name} ${type} ${value}`)

const APEX = 'acme.test. TXT'

// biome-ignore format: a table
const MERGED: [what: string, needed: NeededRecord[], expected: string[]][] = [
  ['nothing',                             [],                                        []],
  ['one value for each entry',            [mx('10 a.test.', '20 b.test.')],          ['acme.test. MX 10 a.test.', 'acme.test. MX 20 b.test.']],
  ['equal values once',                   [mx('10 a.test.'), mx('10 a.test.')],      ['acme.test. MX 10 a.test.']],
  ['keys of two services side by side',   [dkim('s1', 'k1'), dkim('s2', 'k2')],      ['s1._domainkey.acme.test. TXT k1', 's2._domainkey.acme.test. TXT k2']],
  ['one SPF policy as it is',             [spf('v=spf1 include:x -all')],            [`${APEX} v=spf1 include:x -all`]],
  ['two SPF policies as one',             [spf('v=spf1 include:x ~all'), spf('v=spf1 include:y ~all')], [`${APEX} v=spf1 include:x include:y ~all`]],
  ['the strictest end of three',          [spf('v=spf1 a ~all'), spf('v=spf1 mx -all'), spf('v=spf1 ?all')], [`${APEX} v=spf1 a mx -all`]],
  ['two SPF policies of one service',     [spf('v=spf1 a ~all', 'v=spf1 mx ~all')],  [`${APEX} v=spf1 a mx ~all`]],
  ['SPF at another name apart',           [spf('v=spf1 a ~all'), needed('spf', 'm.acme.test.', 'TXT', 'v=spf1 mx ~all')], [`${APEX} v=spf1 a ~all`, 'm.acme.test. TXT v=spf1 mx ~all']],
  ['other TXT values beside SPF',         [spf('v=spf1 a ~all'), needed('verification', 'acme.test.', 'TXT', 'code=1')], [`${APEX} v=spf1 a ~all`, `${APEX} code=1`]],
]

describe('the records of a domain', () => {
  for (const [what, records, expected] of MERGED)
    test(`have ${what}`, () => assert.deepEqual(merged(...records), expected))

  test('have one DMARC record of our own, with reports to the domain itself', () => {
    const records = desiredRecords('acme.test', [], { policy: 'reject', reportsTo: 'd@acme.test' })
    assert.deepEqual(records, [
      {
        name: '_dmarc.acme.test.',
        type: 'TXT',
        value: 'v=DMARC1; p=reject; np=reject; rua=mailto:d@acme.test',
        ttl: 300,
        purpose: 'dmarc',
        status: 'pending',
        observed: [],
      },
    ])
  })

  test('keep purpose and TTL, and are pending until they are seen', () => {
    const [record] = desiredRecords('acme.test', [{ ...mx('10 a.test.'), ttl: 60 }], DMARC)
    assert.deepEqual(
      [record?.purpose, record?.ttl, record?.status, record?.observed],
      ['mx', 60, 'pending', []],
    )
  })

  // RFC 9989 section 4.10: where there are several, none applies.
  test('have one DMARC record, whatever a service asks for', () => {
    const theirs = needed('dmarc', '_dmarc.acme.test.', 'TXT', 'v=DMARC1; p=quarantine')
    const all = desiredRecords('acme.test', [theirs], DMARC)
    assert.deepEqual(
      all.map(({ value }) => value),
      ['v=DMARC1; p=none; np=reject; rua=mailto:dmarc-1@acme.test'],
    )
  })
})

const rrset = (name: string, type: RRsetType, ...data: string[]): RRset => {
  return { name, type, ttl: 300, data }
}
const owned = (name: string, type: RRsetType, value: string): OwnedRecord => {
  return { name, type, value, ttl: 300, purpose: 'verification', status: 'published', observed: [] }
}
const ours = (value: string): OwnedRecord => owned('acme.test.', 'TXT', value)
const txt = (...data: string[]): RRset => rrset('acme.test.', 'TXT', ...data)

// biome-ignore format: a table
const ZONES: [what: string, current: RRset[], former: OwnedRecord[], wanted: OwnedRecord[], expected: RRset[]][] = [
  ['nothing of nothing',                            [],                       [],                      [],                      []],
  ['what is wanted',                                [],                       [],                      [ours('a'), ours('b')],  [txt('a', 'b')]],
  ['what is there already, once',                   [txt('a')],               [ours('a')],             [ours('a')],             [txt('a')],],
  ['a value that was there before it was ours',     [txt('a')],               [],                      [ours('a')],             [txt('a')]],
  ['a new value in the place of a former one',      [txt('a')],               [ours('a')],             [ours('b')],             [txt('b')]],
  ['nothing of ours that is not wanted any more',   [txt('a')],               [ours('a')],             [],                      []],
  ['others’ values at a name we share',             [txt('x', 'a', 'y')],     [ours('a')],             [ours('b')],             [txt('x', 'y', 'b')]],
  ['others’ values when ours go',                   [txt('x', 'a')],          [ours('a')],             [],                      [txt('x')]],
  ['others’ values at a name that becomes shared',  [txt('x')],               [],                      [ours('a')],             [txt('x', 'a')]],
  ['a value of others’ that resembles ours',        [txt('A', 'a ', 'a')],    [ours('a')],             [],                      [txt('A', 'a ')]],
  ['our value where it is others’, at another name', [rrset('x.acme.test.', 'TXT', 'a')], [ours('a')], [],                     [rrset('x.acme.test.', 'TXT', 'a')]],
  ['our value where it is others’, of another type', [rrset('acme.test.', 'CAA', 'a')], [ours('a')],  [],                      [rrset('acme.test.', 'CAA', 'a')]],
  ['others’ rrsets as they are',                    [{ ...rrset('w.acme.test.', 'A', '192.0.2.1'), ttl: 9 }], [], [],           [{ ...rrset('w.acme.test.', 'A', '192.0.2.1'), ttl: 9 }]],
  ['nothing of a record that someone else dropped', [],                       [ours('a')],             [],                      []],
  ['again a record that someone else dropped',      [txt('x')],               [ours('a')],             [ours('a')],             [txt('x', 'a')]],
]

describe('the zone as it should be', () => {
  for (const [what, current, former, wanted, expected] of ZONES) {
    test(`holds ${what}`, () => assert.deepEqual(desiredZone(current, former, wanted), expected))
  }

  test('has our TTL where we share a name', () => {
    const [shared] = desiredZone([{ ...txt('x'), ttl: 9 }], [], [ours('a')])
    assert.deepEqual(shared, { ...txt('x', 'a'), ttl: 300 })
  })

  test('is as it should be once it is made so', () => {
    for (const [what, current, former, wanted] of ZONES) {
      const made = desiredZone(current, former, wanted)
      assert.deepEqual(planZone(made, desiredZone(made, wanted, wanted)), [], what)
    }
  })

  test('is as it was before once all of ours is gone, but for what we took over', () => {
    for (const [what, current, , wanted] of ZONES) {
      const made = desiredZone(current, [], wanted)
      const left = desiredZone(made, wanted, [])
      const foreign = current
        .map((each) => ({
          ...each,
          data: each.data.filter((value) => !isOurs(wanted, each, value)),
        }))
        .filter(({ data }) => data.length > 0)
      assert.deepEqual(
        left.map(({ name, type, data }) => [name, type, data]),
        foreign.map(({ name, type, data }) => [name, type, data]),
        what,
      )
    }
  })
})

const isOurs = (wanted: readonly OwnedRecord[], { name, type }: RRset, value: string): boolean =>
  wanted.some((each) => each.name === name && each.type === type && each.value === value)

describe('the records of a redirect', () => {
  const written = (addresses: readonly string[]) =>
    redirectRecords('acme.test', addresses).map(({ name, type, data }) => [name, type, ...data])

  test('are at the name and at www, for each kind of address there is', () => {
    assert.deepEqual(written(['192.0.2.1', '2001:db8::1', '192.0.2.2']), [
      ['acme.test.', 'A', '192.0.2.1', '192.0.2.2'],
      ['acme.test.', 'AAAA', '2001:db8::1'],
      ['www.acme.test.', 'A', '192.0.2.1', '192.0.2.2'],
      ['www.acme.test.', 'AAAA', '2001:db8::1'],
    ])
    assert.deepEqual(written(['2001:db8::1']), [
      ['acme.test.', 'AAAA', '2001:db8::1'],
      ['www.acme.test.', 'AAAA', '2001:db8::1'],
    ])
    assert.deepEqual(written([]), [])
  })

  const rrset = (name: string, type: RRsetType, ...data: string[]): RRset => {
    return { name, type, ttl: 300, data }
  }
  const APEX_A = rrset('acme.test.', 'A', '192.0.2.1')
  const WWW_A = rrset('www.acme.test.', 'A', '192.0.2.1')

  // biome-ignore format: a table
  const LEFT: [what: string, current: RRset[], former: RRset[], names: string[]][] = [
    ['an empty zone',               [],                                                [],               ['acme.test.', 'www.acme.test.']],
    ['what is ours',                [APEX_A, WWW_A],                                   [APEX_A, WWW_A],  ['acme.test.', 'www.acme.test.']],
    ['what is as if it were ours',  [APEX_A, WWW_A],                                   [],               ['acme.test.', 'www.acme.test.']],
    ['mail at the name',            [rrset('acme.test.', 'MX', '10 mx.test.')],        [],               ['acme.test.', 'www.acme.test.']],
    ['an address of theirs',        [rrset('acme.test.', 'A', '192.0.2.9')],           [],               ['www.acme.test.']],
    ['theirs beside ours',          [rrset('acme.test.', 'A', '192.0.2.9', '192.0.2.1')], [APEX_A],      ['www.acme.test.']],
    ['theirs of the other kind',    [rrset('acme.test.', 'AAAA', '2001:db8::9')],      [],               ['www.acme.test.']],
    ['an alias',                    [rrset('www.acme.test.', 'CNAME', 'shop.test.')],  [],               ['acme.test.']],
    ['a delegation',                [rrset('www.acme.test.', 'NS', 'ns.test.')],       [],               ['acme.test.']],
    ['both names taken',            [rrset('acme.test.', 'A', '192.0.2.9'), rrset('www.acme.test.', 'CNAME', 'a.test.')], [], []],
  ]

  const owned = (rrsets: readonly RRset[]): OwnedRecord[] =>
    rrsets.flatMap(({ name, type, ttl, data }) =>
      data.map((value) => {
        return { name, type, ttl, value, purpose: 'redirect', status: 'published', observed: [] }
      }),
    )

  test('give way to what somebody else put at the name', () => {
    for (const [what, current, former, names] of LEFT) {
      const left = withoutConflicting(owned([APEX_A, WWW_A]), current, owned(former))
      assert.deepEqual(
        left.map(({ name }) => name),
        names,
        what,
      )
    }
  })

  test('those of bounces give way to anything at their name, and to nothing elsewhere', () => {
    const at = 'bounce.acme.test.'
    const ours = [
      rrset(at, 'MX', '10 mx.test.'),
      rrset(at, 'TXT', 'v=spf1 include:_spf.mx.test ~all'),
    ]
    const wanted = owned(ours).map((record) => ({ ...record, purpose: 'bounce' as const }))
    for (const theirs of [
      rrset(at, 'CNAME', 'esp.test.'),
      rrset(at, 'TXT', 'v=spf1 include:esp.test ~all'),
    ])
      assert.deepEqual(withoutConflicting(wanted, [theirs], []), [])
    assert.deepEqual(withoutConflicting(wanted, [...ours, WWW_A], wanted), wanted)
  })

  test('and nothing of mail gives way', () => {
    const wanted = desiredRecords('acme.test', [mx('10 mx.test.')], DMARC)
    const current = [rrset('acme.test.', 'A', '192.0.2.9'), rrset('acme.test.', 'CNAME', 'a.test.')]
    assert.deepEqual(withoutConflicting(wanted, current, []), wanted)
  })
})
