import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerRequests, type TakenLocalpart } from './inbox-requests.ts'

const kim: TakenLocalpart = { localpart: 'kim', isBeingRemoved: false }
const leaving: TakenLocalpart = { localpart: 'lee', isBeingRemoved: true }

// biome-ignore format: a table
const REQUESTS: [what: string, asked: string[], taken: TakenLocalpart[], room: [number, number], expected: string[]][] = [
  ['nothing',                        [],                    [],             [0, 10], []],
  ['a free one',                     ['kim'],               [],             [0, 10], ['accepted']],
  ['one that is taken',              ['kim'],               [kim],          [1, 10], ['exists']],
  ['one whose mailbox is going',     ['lee'],               [leaving],      [0, 10], ['being_removed']],
  ['the same twice',                 ['kim', 'kim'],        [],             [0, 10], ['accepted', 'exists']],
  ['one more than fit',              ['a', 'b', 'c'],       [],             [8, 10], ['accepted', 'accepted', 'full']],
  ['a taken one uses no place',      ['kim', 'a'],          [kim],          [9, 10], ['exists', 'accepted']],
  ['a full domain',                  ['a'],                 [],             [10, 10], ['full']],
  ['more than its limit now allows', ['a'],                 [],             [12, 10], ['full']],
]
for (const [what, asked, taken, [current, max], expected] of REQUESTS)
  test(`requested inboxes: ${what}`, () => {
    const answers = answerRequests(asked, taken, { current, max })
    assert.deepEqual(
      answers.map(({ is }) => is),
      expected,
    )
  })
