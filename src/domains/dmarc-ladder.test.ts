import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DmarcPolicy } from '#policy/dmarc.ts'
import { days } from '../clock.ts'
import { proposedPolicy, type ReportedMail } from './dmarc-ladder.ts'

const NOW = new Date('2026-11-01T12:00:00Z')
const before = (n: number): Date => new Date(NOW.getTime() - days(n))

const mail = (aligned: number, messages: number, other: Partial<ReportedMail> = {}) => ({
  ...{ day: before(5), source: '192.0.2.1', isKnown: true, messages, aligned },
  ...other,
})
const forged = { source: '198.51.100.9', isKnown: false }

type Row = [
  what: string,
  policy: DmarcPolicy,
  publishedDaysAgo: number,
  reported: ReportedMail[],
  proposed: DmarcPolicy | undefined,
]

// biome-ignore format: data
const ROWS: Row[] = [
  ['no reports', 'none', 60, [], undefined],
  ['all aligned', 'none', 60, [mail(100, 100)], 'quarantine'],
  ['all aligned', 'quarantine', 60, [mail(100, 100)], 'reject'],
  ['all aligned', 'reject', 60, [mail(100, 100)], undefined],
  ['exactly 98 %', 'none', 60, [mail(98, 100)], 'quarantine'],
  ['less than 98 %', 'none', 60, [mail(979, 1000)], undefined],
  ['too few messages', 'none', 60, [mail(99, 99)], undefined],
  ['published 30 days ago', 'none', 30, [mail(100, 100)], 'quarantine'],
  ['published 29 days ago', 'none', 29, [mail(100, 100)], undefined],
  ['only old reports', 'none', 60, [mail(100, 100, { day: before(31) })], undefined],
  ['only reports of the future', 'none', 60, [mail(100, 100, { day: before(-1) })], undefined],
  ['an unknown source', 'none', 60, [mail(1000, 1000), mail(1, 1, forged)], undefined],
  ['own mail is lost', 'none', 60, [mail(10, 100)], undefined],
  ['own mail is lost', 'quarantine', 60, [mail(89, 100)], 'none'],
  ['own mail is lost', 'reject', 60, [mail(89, 100)], 'quarantine'],
  ['own mail is lost soon after a step', 'reject', 6, [mail(89, 100)], 'quarantine'],
  ['between the shares', 'reject', 60, [mail(90, 100)], undefined],
  ['few own messages are lost', 'reject', 60, [mail(0, 99)], undefined],
  ['lost before this policy', 'reject', 3, [mail(0, 100)], undefined],
  ['lost more than a week ago', 'reject', 60, [mail(0, 100, { day: before(8) })], undefined],
  ['only forged mail fails', 'reject', 60, [mail(100, 100), mail(0, 5000, forged)], undefined],
]

for (const [what, policy, ago, reported, proposed] of ROWS)
  test(`dmarc ladder: from ${policy}, ${what}, published ${ago} days ago: ${proposed ?? 'stays'}`, () =>
    assert.equal(proposedPolicy(policy, before(ago), reported, NOW)?.policy, proposed))

test('dmarc ladder: a proposal has its evidence, each unknown source once', () => {
  const reported = [mail(50, 100), mail(0, 7, forged), mail(0, 8, forged)]
  assert.deepEqual(proposedPolicy('reject', before(60), reported, NOW), {
    policy: 'quarantine',
    since: before(7),
    evidence: { messages: 115, aligned: 50, unknownSources: ['198.51.100.9'] },
  })
})

test('dmarc ladder: of many unknown sources a proposal names 20', () => {
  const sources = Array.from({ length: 5000 }, (_, n) => mail(0, 1, { ...forged, source: `${n}` }))
  const proposal = proposedPolicy('reject', before(60), [mail(0, 100), ...sources], NOW)
  assert.equal(proposal?.evidence.unknownSources.length, 20)
})
