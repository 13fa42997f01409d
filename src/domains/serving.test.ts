import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AskedDomain, chooseServed, isWokenByQuery, type ZonedClaim } from './serving.ts'

const claim = (claimId: string, status: string, more: Partial<ZonedClaim> = {}): ZonedClaim => ({
  claimId,
  status,
  holder: null,
  pointsAtPool: false,
  ...more,
})
const held = { holder: 'b' }

const SERVED: [string, ZonedClaim[], string | undefined][] = [
  ['nobody has a zone', [], undefined],
  ['one is being set up', [claim('a', 'DNS_PENDING')], 'a'],
  ['two are: the oldest', [claim('a', 'PENDING'), claim('b', 'DNS_PENDING')], 'a'],
  ['the oldest has failed: the next', [claim('a', 'FAILED'), claim('b', 'DNS_PENDING')], 'b'],
  ['all have failed', [claim('a', 'FAILED'), claim('b', 'FAILED')], undefined],
  [
    'the holder, though it is younger',
    [claim('a', 'DNS_PENDING', held), claim('b', 'ACTIVE', held)],
    'b',
  ],
  [
    'the holder, though it has failed',
    [claim('a', 'PENDING', held), claim('b', 'FAILED', held)],
    'b',
  ],
  ['the holder has no zone here: nothing', [claim('a', 'DNS_PENDING', held)], undefined],
  [
    'the parent shows another pair of ours',
    [claim('a', 'DNS_PENDING', { pointsAtPool: true })],
    undefined,
  ],
  [
    'of the oldest only: the next',
    [claim('a', 'PENDING', { pointsAtPool: true }), claim('b', 'PENDING')],
    'b',
  ],
  [
    'the holder, whatever pair the parent shows',
    [claim('b', 'ACTIVE', { ...held, pointsAtPool: true })],
    'b',
  ],
]
for (const [when, claims, expected] of SERVED)
  test(`which zone is served: ${when}`, () => {
    assert.equal(chooseServed(claims)?.claimId, expected)
  })

const domain = (status: string, more: Partial<AskedDomain> = {}): AskedDomain => ({
  status,
  isDelegated: false,
  isBeingRemoved: false,
  ...more,
})

const WOKEN: [string, AskedDomain, boolean][] = [
  ['PENDING', domain('PENDING'), true],
  ['DNS_CONFIGURING', domain('DNS_CONFIGURING'), true],
  ['DNS_PENDING', domain('DNS_PENDING'), true],
  ['SERVICES_CONFIGURING', domain('SERVICES_CONFIGURING'), false],
  ['ACTIVE', domain('ACTIVE'), false],
  ['FAILED before its delegation', domain('FAILED'), true],
  ['FAILED after its delegation', domain('FAILED', { isDelegated: true }), false],
  ['ACTIVE and being removed', domain('ACTIVE', { isBeingRemoved: true }), true],
]
for (const [which, asked, expected] of WOKEN)
  test(`a query ${expected ? 'wakes' : 'does not wake'} a domain that is ${which}`, () => {
    assert.equal(isWokenByQuery(asked), expected)
  })
