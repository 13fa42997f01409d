import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DmarcPolicy, dmarcFault, dmarcRecord, isDmarc, subdomainPolicy } from './dmarc.ts'

const IS_DMARC = [
  'v=DMARC1',
  'v=DMARC1;',
  'v=DMARC1; p=none',
  'v=DMARC1;p=reject;',
  'v = DMARC1 ; p=none',
  'v=DMARC1; p=none; rua=mailto:dmarc@acme.com',
]

const IS_NOT_DMARC = [
  '',
  ' v=DMARC1; p=none',
  '"v=DMARC1; p=none"',
  'p=none; v=DMARC1',
  'v=DMARC10; p=none',
  'v=DMARC1 p=none',
  'v=DMARC1, p=none',
  'v=DMARC2; p=none',
  'v=DMARC; p=none',
  'v=dmarc1; p=none', // RFC 9989 section 4.7: the version is case-sensitive.
  'DMARC1; p=none',
  'v:DMARC1; p=none',
  'v=spf1 -all',
  'v=DKIM1; p=',
]

test('a DMARC record begins with its version, as a whole tag', () => {
  for (const text of IS_DMARC) assert.equal(isDmarc(text), true, text)
  for (const text of IS_NOT_DMARC) assert.equal(isDmarc(text), false, text)
})

// biome-ignore format: a table
const SUBDOMAINS: [record: string, expected: DmarcPolicy][] = [
  ['v=DMARC1; p=none',                              'none'],
  ['v=DMARC1; p=quarantine',                        'quarantine'],
  ['v=DMARC1; p=reject',                            'reject'],
  ['v=DMARC1; p=Reject',                            'reject'],
  ['v=DMARC1;p=reject;',                            'reject'],
  ['v=DMARC1; P = reject ;',                        'reject'],
  ['v=DMARC1; p=none; sp=reject',                   'reject'],
  ['v=DMARC1; sp=none; p=reject',                   'none'],
  ['v=DMARC1; p=reject; sp=quarantine',             'quarantine'],
  ['v=DMARC1; sp=reject',                           'reject'],
  ['v=DMARC1; p=reject; np=none',                   'reject'],
  ['v=DMARC1; p=reject; pct=0; adkim=s; asp=none',  'reject'],
  ['v=DMARC1',                                      'none'],
  ['v=DMARC1; p=',                                  'none'],
  ['v=DMARC1; p=block',                             'none'],
  ['v=DMARC1; p=rejected',                          'none'],
  ['v=DMARC1; p=reject; sp=block',                  'none'],
  ['v=DMARC1; np=reject',                           'none'],
  ['v=DMARC1; rua=mailto:p=reject@acme.com',        'none'],
  ['v=DMARC1; fo=p=reject',                         'none'],
]

test('an enclosing domain asks of its subdomains what `sp` says, else what `p` says', () => {
  for (const [record, expected] of SUBDOMAINS)
    assert.equal(subdomainPolicy(record), expected, record)
})

// biome-ignore format: a table
const FAULTS: [values: string[], fault: RegExp | undefined][] = [
  [['v=DMARC1; p=none'],                                       undefined],
  [['site=x', 'v=DMARC1; p=reject; sp=none; np=quarantine'],   undefined],
  [['v=DMARC1; P = Reject'],                                   undefined],
  [['v=DMARC1; p=reject', 'v=dmarc1; p=none', 'v=spf1 -all'],  undefined],
  [['v=DMARC1; rua=mailto:d@acme.com'],                        undefined],
  [['v=DMARC1; p=block; rua=mailto:d@acme.com'],               undefined],
  [[],                                                         /no DMARC record/],
  [['v=dmarc1; p=none'],                                       /no DMARC record/],
  [['v=DMARC1; p=none', 'v=DMARC1; p=reject'],                 /of 2 DMARC records/],
  [['v=DMARC1'],                                               /its p= is none of none, quarantine, reject/],
  [['v=DMARC1; sp=reject'],                                    /its p= is/],
  [['v=DMARC1; p=block'],                                      /its p= is/],
  [['v=DMARC1; p=block; rua=d@acme.com'],                      /its p= is/],
  [['v=DMARC1; p=reject; sp=quarantin'],                       /its sp= is/],
  [['v=DMARC1; p=reject; np=0'],                               /its np= is/],
]

test('a DMARC policy that receivers do not apply says why', () => {
  for (const [values, fault] of FAULTS) {
    const found = dmarcFault(values)
    if (fault === undefined) assert.equal(found, undefined, values.join(' | '))
    else assert.match(found ?? '', fault, values.join(' | '))
  }
})

test('the record a domain starts with says where reports go, and that absent names send nothing', () => {
  assert.equal(
    dmarcRecord('quarantine', 'dmarc-1@acme.com'),
    'v=DMARC1; p=quarantine; np=reject; rua=mailto:dmarc-1@acme.com',
  )
  assert.equal(dmarcRecord('reject'), 'v=DMARC1; p=reject; np=reject', 'or asks for none')
})

test('a written record reads as what it was written for', () => {
  for (const policy of ['none', 'quarantine', 'reject'] as const) {
    const record = dmarcRecord(policy, 'dmarc@acme.com')
    assert.ok(isDmarc(record))
    assert.equal(subdomainPolicy(record), policy)
  }
})
