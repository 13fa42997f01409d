import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Condition, Domain, Verdict } from '../types.ts'
import { isDue } from './policies.ts'

const MET: Verdict = { is: 'met' }
const FAILED: Verdict = { is: 'failed', reason: 'spf_too_long', message: '' }
const HOUR_MS = 3_600_000
const NOW = new Date('2026-11-29T12:00:00Z')
const before = (hours: number) => new Date(NOW.getTime() - hours * HOUR_MS)

function domain(verdict: Verdict, lastLookAt: Date | undefined, askedAt = before(100)): Domain {
  const condition = { verdict, lastLookAt } as Condition
  const conditions = new Map([['records_published', condition]])
  return { id: 'a000', askedAt, conditions } as unknown as Domain
}

// biome-ignore format: a table
const CASES: [what: string, domain: Domain, isDue: boolean][] = [
  ['never looked at',                   domain(MET, undefined),                true],
  ['not well',                          domain(FAILED, before(0.1)),           true],
  ['well a moment ago',                 domain(MET, before(0.1)),              false],
  ['well six hours ago',                domain(MET, before(6)),                true],
  ['well, and asked about since',       domain(MET, before(0.1), before(0.05)), true],
  ['well, and asked about before that', domain(MET, before(0.1), before(0.2)), false],
]

test('policies are followed to where they lead while not all is well, when asked, and each six hours', () => {
  for (const [what, each, expected] of CASES) assert.equal(isDue(each, NOW), expected, what)
})

test('of the passes of a day, an hour apart, four follow them', () => {
  const hours = Array.from({ length: 24 }, (_, hour) => hour)
  const at = (hour: number) => new Date(NOW.getTime() + hour * HOUR_MS)
  const due = hours.filter((hour) => isDue(domain(MET, at(hour - 1)), at(hour)))
  assert.equal(due.length, 4)
})
