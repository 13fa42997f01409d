import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MessageReader } from './message-end.ts'

/** Reads what is written in pieces; the message, and what stands behind it. */
function read(written: string, ...cuts: number[]): { message: string; rest: string | undefined } {
  const reader = new MessageReader()
  let message = ''
  const ends = [...cuts.toSorted((a, b) => a - b), written.length]
  for (const [index, end] of ends.entries()) {
    const chunk = Buffer.from(written.slice(ends[index - 1] ?? 0, end), 'latin1')
    const found = reader.read(chunk)
    message += found.octets.toString('latin1')
    if (found.end !== undefined)
      return { message, rest: chunk.toString('latin1', found.end) + written.slice(end) }
  }
  return { message, rest: undefined }
}

// biome-ignore format: a table
const CASES: [written: string, message: string, rest: string | undefined][] = [
  ['.\r\n',                    '',                    ''],
  ['a\r\n.\r\n',               'a\r\n',               ''],
  ['a\r\n.\r\nMAIL',           'a\r\n',               'MAIL'],
  ['..\r\n.\r\n',              '.\r\n',               ''],
  ['a\r\n..b\r\n.\r\n',        'a\r\n.b\r\n',         ''],
  ['a\r\n.b\r\n.\r\n',         'a\r\nb\r\n',          ''],
  ['a\n.\r\nb\r\n.\r\n',       'a\n.\r\nb\r\n',       ''],
  ['a\r.\r\nb\r\n.\r\n',       'a\r.\r\nb\r\n',       ''],
  ['a\r\n.\nb\r\n.\r\n',       'a\r\n\nb\r\n',        ''],
  ['a\r\n.\rb\r\n.\r\n',       'a\r\n\rb\r\n',        ''],
  ['a\r\n.\r\r\n.\r\n',        'a\r\n\r\r\n',         ''],
  ['a.\r\n',                   'a.\r\n',              undefined],
  ['a\r\n.',                   'a\r\n',               undefined],
]

test('a message ends at a dot alone between CRLFs, and nowhere else', () => {
  for (const [written, message, rest] of CASES)
    assert.deepEqual(read(written), { message, rest }, JSON.stringify(written))
})

const octets = fc.array(fc.constantFrom('\r', '\n', '.', 'a', '\r\n', '\r\n.'), { maxLength: 30 })

test('wherever the octets are cut, the message is the same', () => {
  fc.assert(
    fc.property(octets, fc.array(fc.nat(60), { maxLength: 6 }), (parts, cuts) => {
      const written = parts.join('')
      const inside = cuts.map((cut) => Math.min(cut, written.length))
      assert.deepEqual(read(written, ...inside), read(written))
    }),
  )
})

test('a message with its dots doubled, as clients send it, comes back', () => {
  fc.assert(
    fc.property(octets, (parts) => {
      const message = `${parts.join('')}\r\n`
      const stuffed = message.replace(/(^|\r\n)\./g, '$1..')
      assert.deepEqual(read(`${stuffed}.\r\nQUIT`), { message, rest: 'QUIT' })
    }),
  )
})
