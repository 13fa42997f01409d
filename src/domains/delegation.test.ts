import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ParentAnswer, ParentLook, ParentOutcome } from '#resolver/parent.ts'
import { type Expectation, judge, judgeInside, provesPair, withSettledAt } from './delegation.ts'
import type { DelegationReport, DelegationVerdict } from './types.ts'

const NOW = new Date('2026-11-01T12:00:00Z')
const [ADA, KIT, BOB, EVA] = ['ada.ns.test', 'kit.ns.test', 'bob.ns.test', 'eva.ns.test']
const PAIR = [ADA, KIT]
const ACME: Expectation = { name: 'acme.com', pair: PAIR, pool: [ADA, BOB, EVA, KIT] }
const STRANGERS = ['ns1.other.net', 'ns2.other.net']

function answer(outcome: ParentOutcome, changes: Partial<ParentAnswer> = {}): ParentAnswer {
  const hasAuthority = outcome === 'nxdomain' || outcome === 'no_cut' || outcome === 'authoritative'
  // biome-ignore format: data
  return {
    name: 'a.nic.com', address: '192.0.2.1', transport: 'tcp', outcome, nameservers: [], ds: [],
    authoritative: hasAuthority, ttl: null, ms: 7, ...changes,
  }
}

const shows = (nameservers: readonly string[], changes: Partial<ParentAnswer> = {}): ParentAnswer =>
  answer('delegated', { nameservers, ttl: 300, ...changes })

const look = (answers: readonly ParentAnswer[], serverCount = answers.length): ParentLook => {
  return { parent: 'com', serverCount, answers }
}

const OURS = shows(PAIR)
const ELSEWHERE = shows(STRANGERS)
const SIGNED = shows(PAIR, { ds: ['1 13 2 abcd'] })
const NOTHING = answer('timeout')

// biome-ignore format: a table
const VERDICTS: [what: string, answers: ParentAnswer[], expected: DelegationVerdict][] = [
  ['exactly the pair',                            [OURS],                                          'delegated'],
  ['the pair in another order',                   [shows([KIT, ADA])],                             'delegated'],
  ['the pair at every server',                    [OURS, OURS, OURS],                              'delegated'],
  ['the pair where some servers are silent',      [OURS, NOTHING, answer('servfail')],             'delegated'],
  ['the pair and a DS',                           [SIGNED],                                        'ds_left_over'],
  ['the pair and one nameserver more',            [shows([...PAIR, 'ns1.other.net'])],             'partial'],
  ['the pair and one more of the pool',           [shows([...PAIR, BOB])],                         'partial'],
  ['one of the pair',                             [shows([ADA])],                                  'partial'],
  ['one of the pair and a stranger',              [shows([ADA, 'ns1.other.net'])],                 'partial'],
  ['one of the pair and another of the pool',     [shows([ADA, BOB])],                             'wrong_pair'],
  ['one of the pair, signed',                     [shows([ADA], { ds: ['1 13 2 abcd'] })],         'partial'],
  ['another pair of the pool',                    [shows([BOB, EVA])],                             'wrong_pair'],
  ['one of the pool and a stranger',              [shows([BOB, 'ns1.other.net'])],                 'wrong_pair'],
  ['strangers',                                   [ELSEWHERE],                                     'elsewhere'],
  ['strangers whose names look like the pair',    [shows(['ada.ns.test.evil.net', 'xkit.ns.test'])], 'elsewhere'],
  ['strangers, signed',                           [shows(STRANGERS, { ds: ['1 13 2 abcd'] })],     'elsewhere'],
  ['the child’s own word, be it the pair',        [answer('authoritative', { nameservers: PAIR })], 'elsewhere'],
  ['a name without a cut',                        [answer('no_cut')],                              'not_delegated'],
  ['a name that does not exist',                  [answer('nxdomain')],                            'not_published'],
  ['nothing yet at one server',                   [OURS, answer('no_cut')],                        'propagating'],
  ['something else at one server',                [OURS, ELSEWHERE],                               'propagating'],
  ['a DS at one server only',                     [OURS, SIGNED],                                  'propagating'],
  ['NXDOMAIN here and no cut there',              [answer('nxdomain'), answer('no_cut')],          'propagating'],
  ['strangers here and others there',             [ELSEWHERE, shows(['ns3.other.net'])],           'elsewhere'],
  ['an interception',                             [answer('intercepted')],                         'intercepted'],
  ['an interception beside the pair',             [OURS, answer('intercepted')],                   'intercepted'],
  ['no answers',                                  [],                                              'unknown'],
  ['a timeout',                                   [NOTHING],                                       'unknown'],
  ['refusals, errors and rubbish',                [answer('refused'), answer('servfail'), answer('malformed'), answer('unreachable')], 'unknown'],
]

for (const [what, answers, expected] of VERDICTS) {
  test(`${expected} when the parent shows ${what}`, () => {
    const report = judge(look(answers), ACME, NOW)
    assert.equal(report.verdict, expected)
  })
}

test('a report holds the evidence, but for the DS', () => {
  const answers = [OURS, shows([BOB], { name: 'b.nic.com', ds: ['1 13 2 abcd'] }), NOTHING]
  const report = judge(look(answers), ACME, NOW)
  assert.deepEqual(report.expected, PAIR)
  assert.deepEqual(report.observed, [ADA, BOB, KIT])
  assert.equal(report.checkedAt, NOW.toISOString())
  assert.deepEqual(
    report.servers,
    answers.map(({ ds: _ds, ...server }) => server),
  )
})

describe('a delegation is settled', () => {
  const at = (minute: number): Date => new Date(NOW.getTime() + minute * 60_000)
  const lasting = (seconds: number, outcome: ParentOutcome = 'nxdomain') =>
    answer(outcome, { ttl: seconds })

  /** The report after looks one after the other, each with what was last seen before it. */
  function after(...looks: [minute: number, ...answers: ParentAnswer[]][]) {
    let report: DelegationReport | undefined
    let seenAt = new Date(0)
    for (const [minute, ...answers] of looks) {
      report = withSettledAt(judge(look(answers), ACME, at(minute)), report, seenAt)
      seenAt = at(minute)
    }
    return report?.settledAt
  }

  // biome-ignore format: a table
  const SETTLED: [when: string, looks: Parameters<typeof after>, settledAt: Date | null][] = [
    ['never, while it is not there',                  [[0, ELSEWHERE]],                                             null],
    ['by its own TTL, where nothing was seen before', [[0, OURS]],                                                  at(5)],
    ['at once, with a TTL of 0',                      [[0, shows(PAIR, { ttl: 0 })]],                               at(0)],
    ['by the longest TTL of all servers',             [[0, shows(PAIR, { ttl: 60 }), shows(PAIR, { ttl: 7200 })]],  at(120)],
    ['not by what no answer says',                    [[0, OURS, answer('timeout', { ttl: 999_999 })]],             at(5)],
    ['once the absence is forgotten',                 [[0, lasting(900)], [1, OURS]],                               at(15)],
    ['by the last sight of it, not the first',        [[0, lasting(900)], [30, lasting(900)], [31, OURS]],          at(45)],
    ['once the former nameservers are',               [[0, shows(STRANGERS, { ttl: 86_400 })], [10, OURS]],         at(1440)],
    ['once the DS left over is',                      [[0, shows(PAIR, { ttl: 3600, ds: ['1 13 2 abcd'] })], [10, OURS]], at(60)],
    ['by the longest of all that was before',         [[0, shows(STRANGERS, { ttl: 86_400 })], [10, lasting(60)], [20, OURS]], at(1440)],
    ['no later by what comes after it',               [[0, lasting(900)], [1, OURS], [50, OURS]],                   at(15)],
    ['anew when it was away',                         [[0, lasting(900)], [1, OURS], [50, lasting(900)], [51, OURS]], at(65)],
  ]

  test('later when something else was shown in between, though it was not believed', () => {
    const settled = withSettledAt(judge(look([OURS]), ACME, at(0)), undefined, at(0))
    const kept = { ...settled, keptUntil: at(90).toISOString(), lostAt: at(30).toISOString() }
    const again = withSettledAt(judge(look([OURS]), ACME, at(31)), kept, at(30))
    assert.equal(again.settledAt, at(90).toISOString())
  })

  for (const [when, looks, settledAt] of SETTLED)
    test(when, () => assert.equal(after(...looks), settledAt?.toISOString() ?? null))
})

/** One look for each verdict that the wire can give. */
const EXAMPLES = new Map(VERDICTS.map(([, answers, verdict]) => [verdict, answers]))

describe('the message', () => {
  test('says what is to be done while something is', () => {
    for (const verdict of [
      'elsewhere',
      'partial',
      'wrong_pair',
      'not_delegated',
      'not_published',
    ] as const) {
      const { message } = judge(look(EXAMPLES.get(verdict)!), ACME, NOW)
      assert.match(
        message,
        /set ada\.ns\.test and kit\.ns\.test as the only nameservers of acme\.com/,
      )
    }
    assert.match(judge(look([SIGNED]), ACME, NOW).message, /remove DNSSEC at your registrar/)
  })

  test('asks for nothing where the customer can do nothing', () => {
    for (const verdict of ['delegated', 'propagating', 'intercepted', 'unknown'] as const) {
      const { message } = judge(look(EXAMPLES.get(verdict)!), ACME, NOW)
      assert.doesNotMatch(message, /set |remove /)
    }
  })

  test('names what is there instead', () => {
    assert.match(judge(look([ELSEWHERE]), ACME, NOW).message, /ns1\.other\.net and ns2\.other\.net/)
    assert.match(judge(look([shows([BOB, EVA])]), ACME, NOW).message, /another claim/)
    assert.match(judge(look([answer('authoritative')]), ACME, NOW).message, /to other servers/)
  })

  test('is a sentence, and the same from look to look', () => {
    for (const [verdict, answers] of EXAMPLES) {
      const slower = answers.map((each) => ({ ...each, ms: 900, transport: 'udp' as const }))
      const { message } = judge(look(answers), ACME, NOW)
      assert.match(message, /^\S.*\.$/)
      assert.doesNotMatch(message, /undefined|\s\s|2026|\bms\b/)
      assert.equal(judge(look(slower), ACME, new Date(0)).message, message, verdict)
    }
  })

  test('calls the root by its name', () => {
    const root = { ...look([OURS]), parent: '' }
    assert.match(judge(root, ACME, NOW).message, /^The root zone delegates/)
    const torn = { ...look([OURS, ELSEWHERE]), parent: '' }
    assert.match(judge(torn, ACME, NOW).message, /servers of the root/)
  })
})

const many = (count: number, each: ParentAnswer): ParentAnswer[] => Array(count).fill(each)

// biome-ignore format: a table
const PROOFS: [what: string, look: ParentLook, expected: boolean][] = [
  ['the only server shows the pair',                 look([OURS]),                                  true],
  ['all servers show the pair',                      look(many(13, OURS)),                          true],
  ['they show it in another order',                  look([shows([KIT, ADA]), OURS]),               true],
  ['the pair stands under a left-over DS',           look([SIGNED, OURS]),                          true],
  ['two of three servers answer',                    look([OURS, OURS, NOTHING]),                   true],
  ['four of six servers answer',                     look([...many(4, OURS), ...many(2, NOTHING)]), true],
  ['nine of thirteen servers answer',                look(many(9, OURS), 13),                       true],
  ['eight of thirteen servers answer',               look(many(8, OURS), 13),                       false],
  ['one of two servers answers',                     look([OURS, NOTHING]),                         false],
  ['three of five servers answer',                   look(many(3, OURS), 5),                        false],
  ['one of three servers answers',                   look([OURS, NOTHING, NOTHING]),                false],
  ['only one of many was asked',                     look([OURS], 4),                               false],
  ['nobody answers',                                 look([NOTHING, NOTHING]),                      false],
  ['nobody was asked',                               look([]),                                      false],
  ['nobody was asked, of nobody',                    look([], 0),                                   false],
  ['one of many shows something else',               look([...many(12, OURS), ELSEWHERE]),          false],
  ['one of many shows one nameserver more',          look([...many(12, OURS), shows([...PAIR, BOB])]), false],
  ['one of many shows one nameserver less',          look([...many(12, OURS), shows([ADA])]),       false],
  ['one of many shows no cut',                       look([...many(12, OURS), answer('no_cut')]),   false],
  ['one of many says the name does not exist',       look([...many(12, OURS), answer('nxdomain')]), false],
  ['one of many gives the child’s own word',         look([OURS, OURS, answer('authoritative', { nameservers: PAIR })]), false],
  ['all show another pair of the pool',              look(many(3, shows([BOB, EVA]))),              false],
  ['all show strangers',                             look(many(3, ELSEWHERE)),                      false],
]

for (const [what, seen, expected] of PROOFS) {
  test(`the pair is ${expected ? '' : 'not '}proved when ${what}`, () => {
    const answers = seen.answers.map((each, index) => ({ ...each, name: `ns${index}.nic.com` }))
    assert.equal(provesPair({ ...seen, answers }, ACME), expected)
  })
}

test('a server has answered when one of its two addresses has', () => {
  const silent = { ...NOTHING, name: OURS.name, address: '2001:db8::1' }
  assert.equal(provesPair(look([OURS, silent], 1), ACME), true)
  assert.equal(provesPair(look([silent], 1), ACME), false)
})

test('one name shown twice is not the pair', () => {
  assert.equal(judge(look([shows([ADA, ADA])]), ACME, NOW).verdict, 'partial')
  assert.equal(provesPair(look([shows([ADA, ADA])]), ACME), false)
})

// biome-ignore format: a table
const INSIDE: [what: string, sameWorkspace: boolean, cut: string[], expected: DelegationVerdict, observed: string[]][] = [
  ['cuts it off to the pair',                    true,  PAIR,              'delegated',        PAIR],
  ['of a stranger cuts it off to the pair',      false, [KIT, ADA],        'delegated',        []],
  ['does not cut it off',                        true,  [],                'inside_your_zone', []],
  ['cuts it off to strangers',                   true,  STRANGERS,         'inside_your_zone', STRANGERS],
  ['cuts it off to one of the pair',             true,  [ADA],             'inside_your_zone', [ADA]],
  ['cuts it off to the pair and one more',       true,  [...PAIR, BOB],    'inside_your_zone', [...PAIR, BOB]],
  ['of a stranger does not cut it off',          false, [],                'shadowed',         []],
  ['of a stranger cuts it off elsewhere',        false, STRANGERS,         'shadowed',         []],
]

for (const [what, sameWorkspace, cut, expected, observed] of INSIDE) {
  test(`${expected} when a zone hosted here that encloses the name ${what}`, () => {
    const report = judgeInside({ name: 'acme-holding.com', sameWorkspace, cut }, ACME, NOW)
    assert.equal(report.verdict, expected)
    assert.deepEqual(report.observed, observed)
    assert.deepEqual([report.expected, report.servers], [PAIR, []])
    assert.match(report.message, /ada\.ns\.test and kit\.ns\.test/)
  })
}

test('nothing of a stranger’s zone is told, neither its name nor what it holds', () => {
  for (const cut of [[], STRANGERS, PAIR]) {
    const zone = { name: 'acme-holding.com', sameWorkspace: false, cut }
    const told = JSON.stringify(judgeInside(zone, ACME, NOW))
    assert.doesNotMatch(told, /acme-holding|other\.net/)
  }
})
