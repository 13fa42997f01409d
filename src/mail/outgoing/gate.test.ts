import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONTENT_LIMIT, type Facts, obstacleTo, type ReachedLimit } from './gate.ts'

const READY: Facts = {
  domain: 'allowed',
  inbox: 'there',
  recipient: 'accepts',
  octets: 5000,
  reached: [],
}
const reached = (of: ReachedLimit['of'], hour: number): ReachedLimit => ({
  of,
  limit: 10,
  endsAt: new Date(Date.UTC(2026, 10, 30, hour)),
})

const STOP = { reason: 'a stolen key', at: new Date() }

// biome-ignore format: a table
const CASES: [what: string, facts: Partial<Facts>, is: string | undefined, check: string | undefined][] = [
  ['nothing',                      {},                                            undefined, undefined],
  ['nothing, without an inbox',    { inbox: 'none' },                             undefined, undefined],
  ['a stop of all sending',        { stop: STOP },                                'stopped', 'sending_is_on'],
  ['a stop before all else',       { stop: STOP, inbox: 'removed' },              'stopped', 'sending_is_on'],
  ['a domain that is held',        { domain: 'held' },                            'held',    'domain_may_send'],
  ['a domain that is gone',        { domain: 'ended' },                           'ended',   'domain_may_send'],
  ['an inbox that is gone',        { inbox: 'removed' },                          'ended',   'inbox_may_send'],
  ['a suppressed recipient',        { recipient: 'suppressed' },                   'ended',   'recipient_is_not_suppressed'],
  ['an inbox that is paused',      { inbox: 'paused' },                           'held',    'inbox_may_send'],
  ['both',                         { domain: 'held', inbox: 'removed' },          'held',    'domain_may_send'],
  ['a size that nobody takes',     { octets: CONTENT_LIMIT + 1 },                 'ended',   'message_is_of_size'],
  ['no size that receivers take',  { octets: CONTENT_LIMIT },                     undefined, undefined],
  ['a limit',                      { reached: [reached('inbox', 8)] },            'limited', 'limits_have_room'],
]

test('what keeps a message from leaving', () => {
  for (const [what, facts, is, check] of CASES) {
    const obstacle = obstacleTo({ ...READY, ...facts })
    assert.deepEqual([obstacle?.is, obstacle?.check], [is, check], what)
  }
})

test('of several limits, the one that lasts longest is told', () => {
  const facts = { ...READY, reached: [reached('inbox', 8), reached('workspace', 9)] }
  const obstacle = obstacleTo(facts)
  assert.ok(obstacle?.is === 'limited')
  assert.equal(obstacle.reached.of, 'workspace')
})
