import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Placement, planRemoval, removalState, removalStep } from './removal-plan.ts'

const AT = new Date('2026-01-01T00:00:00Z')
const placement = (stage: string, more: Partial<Placement> = {}): Placement => ({
  stage,
  driver: 'embedded',
  removedAt: undefined,
  abandonedAt: undefined,
  trouble: undefined,
  ...more,
})
const ZONE = placement('zone_ready', { driver: 'powerdns' })
const RECORDS = placement('records_published', { driver: 'powerdns' })
const GONE = placement('sender_registered', { removedAt: AT })
const GIVEN_UP = placement('mail_domain_ready', { removedAt: AT, abandonedAt: AT })
const none = { inboxes: 0, ours: 0, theirs: 0, zoneAccount: 'powerdns', mailboxAccount: 'mailcow' }

// biome-ignore format: a table
const PLANS: [what: string, holdings: object, removed: string[], kept: string[]][] = [
  ['nothing was made',              { placements: [] },                              [],                                          []],
  ['a zone',                        { placements: [ZONE] },                          ['1 zone_ready powerdns'],                   []],
  ['records count one by one',      { placements: [RECORDS], ours: 7 },              ['7 records_published powerdns'],            []],
  ['no records yet',                { placements: [RECORDS, ZONE] },                 ['1 zone_ready powerdns'],                   []],
  ['what is removed already',       { placements: [GONE, GIVEN_UP] },                [],                                          []],
  ['inboxes',                       { placements: [], inboxes: 3 },                  ['3 inbox mailcow'],                         []],
  ['the customer’s records stay',   { placements: [ZONE], theirs: 2 },               ['1 zone_ready powerdns'],                   ['2 customer_record powerdns']],
]

describe('the plan of a removal', () => {
  const shown = (parts: readonly { what: string; provider: string; count: number }[]) =>
    parts.map(({ what, provider, count }) => `${count} ${what} ${provider}`)
  for (const [what, holdings, removed, kept] of PLANS)
    test(what, () => {
      const plan = planRemoval({ ...none, ...(holdings as { placements: Placement[] }) })
      assert.deepEqual([shown(plan.removed), shown(plan.kept)], [removed, kept])
    })
})

// biome-ignore format: a table
const STATES: [what: string, tornDownAt: Date | null, removedAt: Date | null, placements: Placement[], expected: string][] = [
  ['at the beginning',          null, null, [ZONE],           'removing'],
  ['all but the zone is gone',  AT,   null, [ZONE],           'tombstone'],
  ['all is gone',               AT,   AT,   [GONE],           'done'],
  ['nothing was ever made',     AT,   AT,   [],               'done'],
  ['a part was given up',       AT,   AT,   [GONE, GIVEN_UP], 'abandoned'],
  ['given up, and under way',   null, null, [GIVEN_UP, ZONE], 'removing'],
]

describe('the state of a removal', () => {
  for (const [what, tornDownAt, removedAt, parts, expected] of STATES)
    test(what, () => assert.equal(removalState({ tornDownAt, removedAt }, parts), expected))
})

test('a step says why it waits', () => {
  const { state, message } = removalStep(placement('zone_ready', { trouble: 'PowerDNS is away.' }))
  assert.deepEqual([state, message], ['waiting', 'PowerDNS is away.'])
  assert.deepEqual([removalStep(GONE).state, removalStep(GIVEN_UP).state], ['removed', 'abandoned'])
})
