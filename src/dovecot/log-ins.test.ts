import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerTo } from './log-ins.ts'

const find = async (passwordId: string, username: string) =>
  passwordId === 'abcdefgh' && username === 'kim@acme.test'
    ? { hash: '{SSHA256}x', mailUser: 'inbox@claim' }
    : undefined

test('a log-in that is known is answered with the hash and the mail user', async () => {
  assert.equal(
    await answerTo('Lshared/log-in/abcdefgh/kim@acme.test\tkim@acme.test', find),
    'O{"password":"{SSHA256}x","user":"inbox@claim"}\n',
  )
})

for (const line of [
  'Lshared/log-in/abcdefgh/ida@acme.test\tida@acme.test',
  'Lshared/log-in/bbbbbbbb/kim@acme.test\tkim@acme.test',
  'Lshared/log-in/ABCDEFGH/kim@acme.test\tkim@acme.test',
  'Lshared/log-in/abcdefg/kim@acme.test\tkim@acme.test',
  'Lshared/log-in/abcdefgh/x/kim@acme.test\tkim@acme.test',
  'Lshared/log-in/abcdefgh/\t',
  'Lshared/other/abcdefgh/kim@acme.test\tkim@acme.test',
  'Lpriv/log-in/abcdefgh/kim@acme.test\tkim@acme.test',
  'L',
  `L${'x'.repeat(100_000)}`,
])
  test(`no log-in: ${line.slice(0, 60)}`, async () => {
    assert.equal(await answerTo(line, find), 'N\n')
  })
