import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Members } from './members.ts'

const NAMES = ['a.example.', 'b.example.', 'c.example.', 'd.example.']
const step = fc.oneof(
  fc.record({ is: fc.constant('set'), name: fc.constantFrom(...NAMES), id: fc.string() }),
  fc.record({ is: fc.constant('delete'), name: fc.constantFrom(...NAMES), id: fc.constant('') }),
  fc.record({ is: fc.constant('version'), name: fc.constant(''), id: fc.constant('') }),
)

test('property: members are as a map has them, and each version stays as it was', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const members = new Members()
      const model = new Map<string, string>()
      const versions: { version: Iterable<readonly [string, string]>; expected: unknown[] }[] = []
      for (const { is, name, id } of steps) {
        if (is === 'set') {
          members.set(name, id)
          model.set(name, id)
        } else if (is === 'delete') {
          members.delete(name)
          model.delete(name)
        } else versions.push({ version: members.version(), expected: [...model].toSorted() })
        assert.equal(members.size, model.size)
        for (const each of NAMES) assert.equal(members.get(each), model.get(each))
        assert.deepEqual([...members.names()].toSorted(), [...model.keys()].toSorted())
      }
      for (const { version, expected } of versions)
        assert.deepEqual([...version].toSorted(), expected)
    }),
  )
})

test('100,000 members are all there, in one version', () => {
  const members = new Members()
  for (let i = 0; i < 100_000; i++) members.set(`z${i}.example.`, `id-${i}`)
  const version = members.version()
  for (let i = 0; i < 100_000; i += 2) members.delete(`z${i}.example.`)
  assert.equal(members.size, 50_000)
  assert.equal(new Map(version).size, 100_000)
  assert.equal(members.get('z0.example.'), undefined)
  assert.equal(members.get('z1.example.'), 'id-1')
})
