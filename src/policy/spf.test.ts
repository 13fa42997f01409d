import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  isSpf,
  mergeSpf,
  SPF_LOOKUP_LIMIT,
  spfIncluding,
  spfLookups,
  spfOfAddresses,
} from './spf.ts'

const IS_SPF = [
  'v=spf1',
  'v=spf1 ',
  'v=spf1 -all',
  'v=spf1  mx   -all ',
  'V=SPF1 a -all', // RFC 7208 section 12: literals in the grammar are not case-sensitive.
  'v=spf1 redirect=_spf.acme.com',
]

const IS_NOT_SPF = [
  '',
  ' v=spf1 -all',
  '"v=spf1 -all"',
  'v=spf10 -all',
  'v=spf1-all',
  'v=spf1;-all',
  'v=spf1\t-all',
  'v=spf2.0/pra -all',
  'v = spf1 -all',
  'spf1 -all',
  'x v=spf1 -all',
  'v=DMARC1; p=none',
  'v=DKIM1; p=',
]

test('an SPF policy is known by its version, which ends at a space or at the end', () => {
  for (const text of IS_SPF) assert.equal(isSpf(text), true, text)
  for (const text of IS_NOT_SPF) assert.equal(isSpf(text), false, text)
})

// biome-ignore format: a table
const LOOKUPS: [policy: string, expected: number][] = [
  ['v=spf1',                                                     0],
  ['v=spf1 -all',                                                0],
  ['v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all',             0],
  ['v=spf1 exp=why.acme.com -all',                               0],
  ['v=spf1 all',                                                 0],
  ['v=spf1 unknown=x -all',                                      0],
  ['v=spf1 a',                                                   1],
  ['v=spf1 a/24 -all',                                           1],
  ['v=spf1 a:acme.com/24 -all',                                  1],
  ['v=spf1 mx -all',                                             1],
  ['v=spf1 mx:acme.com -all',                                    1],
  ['v=spf1 mx//64 -all',                                         1],
  ['v=spf1 ptr -all',                                            1],
  ['v=spf1 ptr:acme.com -all',                                   1],
  ['v=spf1 exists:%{i}.acme.com -all',                           1],
  ['v=spf1 include:_spf.acme.com ~all',                          1],
  ['v=spf1 redirect=_spf.acme.com',                              1],
  ['v=spf1 +a -mx ~include:x.example ?exists:y.example -all',    4],
  ['V=SPF1 INCLUDE:a.example Include:b.example A MX -ALL',       4],
  ['v=spf1  a   mx  -all',                                       2],
  [`v=spf1 ${'include:x.example '.repeat(11)}-all`,             11],
]

test('the terms that cost a look-up are those of RFC 7208 section 4.6.4', () => {
  assert.equal(SPF_LOOKUP_LIMIT, 10)
  for (const [policy, expected] of LOOKUPS)
    assert.equal(spfLookups(policy).length, expected, policy)
})

// biome-ignore format: a table
const ALONE: [policies: string[], expected: string][] = [
  [['v=spf1'],                                                     'v=spf1'],
  [['v=spf1 -all'],                                                'v=spf1 -all'],
  [['v=spf1  a  MX -ALL '],                                        'v=spf1  a  MX -ALL '],
  [['v=spf1 redirect=_spf.acme.com'],                              'v=spf1 redirect=_spf.acme.com'],
  [['v=spf1 include:x ~all', 'v=spf1 include:x ~all'],             'v=spf1 include:x ~all'],
]

test('a policy alone stays as it is', () => {
  for (const [policies, expected] of ALONE) assert.equal(mergeSpf(policies), expected)
})

// biome-ignore format: a table
const MERGED: [policies: string[], expected: string][] = [
  [[],                                                             'v=spf1 ~all'],
  [['v=spf1 a ~all', 'v=spf1 mx ~all'],                            'v=spf1 a mx ~all'],
  [['v=spf1 a ~all', 'v=spf1 mx -all'],                            'v=spf1 a mx -all'],
  [['v=spf1 a -all', 'v=spf1 mx ?all'],                            'v=spf1 a mx -all'],
  [['v=spf1 a ?all', 'v=spf1 mx ~all'],                            'v=spf1 a mx ~all'],
  [['v=spf1 a ?all', 'v=spf1 mx'],                                 'v=spf1 a mx ?all'],
  [['v=spf1 a -ALL', 'v=spf1 mx ~all'],                            'v=spf1 a mx -all'],
  [['v=spf1  a   -all ', 'v=spf1 mx  -all'],                       'v=spf1 a mx -all'],
  [['v=spf1 a include:x -all', 'v=spf1 include:y a -all'],         'v=spf1 a include:x include:y -all'],
  [['v=spf1 a -all', 'v=spf1 mx -all', 'v=spf1 ip4:192.0.2.1 -all'], 'v=spf1 a mx ip4:192.0.2.1 -all'],
  // An `all` that lets everyone send is nobody's wish.
  [['v=spf1 a +all', 'v=spf1 mx'],                                 'v=spf1 a mx ~all'],
  [['v=spf1 a all', 'v=spf1 mx -all'],                             'v=spf1 a mx -all'],
  // RFC 7208 section 6.1: a redirect is ignored where there is an `all`.
  [['v=spf1 redirect=x.test', 'v=spf1 a -all'],                    'v=spf1 include:x.test a -all'],
  [['v=spf1 a REDIRECT=x.test', 'v=spf1 include:x.test ~all'],     'v=spf1 a include:x.test ~all'],
]

test('policies merge into one that allows what each allows and is as strict as the strictest', () => {
  for (const [policies, expected] of MERGED)
    assert.equal(mergeSpf(policies), expected, policies.join(' | '))
})

test('a merged policy is an SPF policy with one `all`, at its end', () => {
  for (const [policies] of MERGED) {
    const merged = mergeSpf(policies)
    assert.ok(isSpf(merged))
    assert.equal(merged.match(/\S?all\b/g)?.length, 1)
    assert.match(merged, / [-~?]all$/)
  }
})

test('merging again changes nothing, and the order of policies nothing but the order of terms', () => {
  const termsOf = (policy: string) => policy.split(' ').toSorted()
  for (const [policies] of MERGED) {
    const merged = mergeSpf(policies)
    assert.equal(mergeSpf([merged]), merged)
    assert.equal(mergeSpf([merged, 'v=spf1']), merged)
    assert.deepEqual(termsOf(mergeSpf(policies.toReversed())), termsOf(merged))
  }
})

// biome-ignore format: a table
const OF_ADDRESSES: [addresses: string[], expected: string][] = [
  [[],                                   'v=spf1 -all'],
  [['192.0.2.1'],                        'v=spf1 ip4:192.0.2.1 -all'],
  [['192.0.2.1', '2001:db8::1'],         'v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all'],
]

test('a policy allows the addresses it was made of, and nobody else', () => {
  for (const [addresses, expected] of OF_ADDRESSES)
    assert.equal(spfOfAddresses(...addresses), expected)
})

test('a policy that includes another costs one look-up', () => {
  assert.equal(spfIncluding('_spf.mx.example'), 'v=spf1 include:_spf.mx.example ~all')
  assert.deepEqual(spfLookups(spfIncluding('_spf.mx.example')), ['include:_spf.mx.example'])
})
