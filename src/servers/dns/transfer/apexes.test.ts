import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Apexes } from './apexes.ts'

function apexes(...names: string[]): Apexes {
  const all = new Apexes()
  for (const name of names) all.add(name)
  return all
}

const HOSTED = ['acme.test.', 'mail.acme.test.', 'a.mail.acme.test.', 'xacme.test.', 'b.example.']

const TOUCHED: [apex: string, expected: string[]][] = [
  ['acme.test.', ['acme.test.', 'mail.acme.test.', 'a.mail.acme.test.']],
  ['mail.acme.test.', ['mail.acme.test.', 'a.mail.acme.test.']],
  ['a.mail.acme.test.', ['a.mail.acme.test.']],
  ['new.example.', ['new.example.']],
  ['test.', ['test.', 'acme.test.', 'mail.acme.test.', 'a.mail.acme.test.', 'xacme.test.']],
  ['.', ['.', ...HOSTED]],
]

for (const [apex, expected] of TOUCHED) {
  test(`a change at ${apex} touches it and what lies below`, () => {
    assert.deepEqual(new Set(apexes(...HOSTED).add(apex)), new Set(expected))
    const all = apexes(...HOSTED, apex)
    assert.deepEqual(new Set(all.delete(apex)), new Set(expected))
    assert.deepEqual(all.delete(apex)[0], apex, 'twice')
  })
}

test('what is deleted is touched by no other any more', () => {
  const all = apexes(...HOSTED)
  all.delete('mail.acme.test.')
  assert.deepEqual(new Set(all.add('acme.test.')), new Set(['acme.test.', 'a.mail.acme.test.']))
})
