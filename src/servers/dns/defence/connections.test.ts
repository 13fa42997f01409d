import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Connection, Connections } from './connections.ts'

type Held = Connection & { name: string }

/** Connections by the name of their address; those closed are noted in order. */
function held(max: number) {
  const closed: string[] = []
  const connections = new Connections<Held>(max)
  const add = (address: string, name: string, idleSince?: number): boolean => {
    const connection = { name, idleSince, close: () => closed.push(name) }
    return connections.add(connection, address)
  }
  return { connections, closed, add }
}

test('while there is room, one prefix may have all of it', () => {
  const { add, closed } = held(10)
  for (let i = 0; i < 10; i++) assert.equal(add('192.0.2.1', `a${i}`, i), true)
  assert.deepEqual(closed, [])
})

test('a newcomer gets the place of the prefix with the most, idle longest first', () => {
  const { add, closed, connections } = held(4)
  add('192.0.2.1', 'a1', 30)
  add('192.0.2.9', 'a2', 10)
  add('192.0.2.1', 'a3', 20)
  add('198.51.100.1', 'b1', 1)
  for (const address of ['203.0.113.1', '2001:db8::1'])
    assert.equal(add(address, address, 99), true)
  assert.deepEqual(closed, ['a2', 'a3'])
  assert.equal(connections.size, 4)
})

test('a newcomer of the prefix with the most gets the place of its own kin', () => {
  const { add, closed } = held(3)
  add('192.0.2.1', 'a1', 2)
  add('192.0.2.1', 'a2', 1)
  add('198.51.100.1', 'b1', 0)
  assert.equal(add('192.0.2.1', 'a3', 3), true)
  assert.deepEqual(closed, ['a2'])
})

test('one at work is closed for another prefix only, the oldest first', () => {
  const { add, closed } = held(2)
  add('192.0.2.1', 'a1')
  add('192.0.2.1', 'a2')
  assert.equal(add('192.0.2.1', 'a3', 1), false)
  assert.equal(add('198.51.100.1', 'b1', 1), true)
  assert.deepEqual(closed, ['a1'])
})

test('places that are given back can be taken', () => {
  const { connections, add, closed } = held(1)
  const connection = { name: 'a1', idleSince: 1, close: () => {} }
  connections.add(connection, '192.0.2.1')
  connections.delete(connection)
  connections.delete(connection)
  assert.equal(add('192.0.2.1', 'a2', 1), true)
  assert.deepEqual(closed, [])
})
