import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isAddress, isReserved, parseLocalpart, splitAddress } from './localpart.ts'

/** The lines of a corpus, each written as JSON writes the inside of a string. */
function corpus(name: string): string[] {
  const text = readFileSync(new URL(`../../test/corpora/${name}.txt`, import.meta.url), 'utf8')
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('# '))
  return lines.map((line) => JSON.parse(`"${line}"`))
}

const VALID = corpus('addresses-valid')
const INVALID = corpus('addresses-invalid')

test('every valid address of the corpus is one', () => {
  for (const written of VALID) assert.equal(isAddress(written), true, written)
})

test('no invalid address of the corpus is one', () => {
  for (const written of ['', ...INVALID]) assert.equal(isAddress(written), false, written)
})

test('the corpus has more of what is wrong than of what is right', () => {
  assert.ok(VALID.length >= 40 && INVALID.length > VALID.length)
})

test('a localpart that is valid in an address is valid for an inbox', () => {
  for (const written of VALID) {
    const localpart = written.slice(0, written.lastIndexOf('@'))
    assert.deepEqual(parseLocalpart(localpart), { localpart: localpart.toLowerCase() })
  }
})

// biome-ignore format: a table
const TAKEN: [written: string, localpart: string][] = [
  ['kim',             'kim'],
  ['Kim',             'kim'],
  ['KIM.LEE+Tag',     'kim.lee+tag'],
  ['0',               '0'],
  ['-',               '-'],
  ['x'.repeat(64),    'x'.repeat(64)],
  // Only whole localparts are reserved.
  ['postmasters',     'postmasters'],
  ['my.postmaster',   'my.postmaster'],
  ['abuse-desk',      'abuse-desk'],
  ['dmarcus',         'dmarcus'],
  ['dmarc_x',         'dmarc_x'],
]

test('a localpart is taken, in lower case', () => {
  for (const [written, localpart] of TAKEN)
    assert.deepEqual(parseLocalpart(written), { localpart }, written)
})

// biome-ignore format: a table
const REFUSED: [written: string, message: RegExp][] = [
  ['',                    /not a localpart/],
  [' ',                   /not a localpart/],
  ['.kim',                /not a localpart/],
  ['kim.',                /not a localpart/],
  ['kim..lee',            /not a localpart/],
  ['.',                   /not a localpart/],
  ['kim lee',             /not a localpart/],
  [' kim',                /not a localpart/],
  ['kim\n',               /not a localpart/],
  ['kim\r\nBcc',          /not a localpart/],
  ['kim\0',               /not a localpart/],
  ['kim@acme.com',        /not a localpart/],
  ['@',                   /not a localpart/],
  ['"kim"',               /not a localpart/],
  ['kim,lee',             /not a localpart/],
  ['<kim>',               /not a localpart/],
  ['kim\\',               /not a localpart/],
  ['kim(x)',              /not a localpart/],
  ['grüße',               /not a localpart/],
  ['用户',                /not a localpart/],
  ['\u212Aim',            /not a localpart/], // The Kelvin sign becomes a plain k in small letters.
  ['x'.repeat(65),        /longer than 64 octets/],
  ['x'.repeat(10_000),    /longer than 64 octets/],
  ['postmaster',          /reserved/],
  ['PostMaster',          /reserved/],
  ['abuse',               /reserved/],
  ['hostmaster',          /reserved/],
  ['mailer-daemon',       /reserved/],
  ['MAILER-DAEMON',       /reserved/],
  ['dmarc',               /reserved/],
  ['dmarc-0123456789ab',  /reserved/],
  ['DMARC-x',             /reserved/],
  ['bounce',              /reserved/],
]

test('a localpart is refused with a sentence, in the wire’s vocabulary', () => {
  for (const [written, message] of REFUSED) {
    const parsed = parseLocalpart(written)
    assert.ok('refusal' in parsed, written)
    assert.equal(parsed.refusal.type, 'value_error.email_prefix')
    assert.match(parsed.refusal.message, message, written)
  }
})

test('the mailboxes of RFC 2142 that every domain needs are reserved', () => {
  for (const localpart of ['postmaster', 'abuse']) assert.equal(isReserved(localpart), true)
  for (const localpart of ['kim', 'info', 'sales', '']) assert.equal(isReserved(localpart), false)
})

// biome-ignore format: a table
const SPLIT: [written: string, localpart: string, domain: string][] = [
  ['kim@acme.com',          'kim',        'acme.com'],
  ['Kim@ACME.com.',         'kim',        'acme.com'],
  ['"kim@lee"@acme.com',    '"kim@lee"',  'acme.com'],
  ['kim@lee@acme.com',      'kim@lee',    'acme.com'],
  ['kim@[127.0.0.1]',       'kim',        '[127.0.0.1]'],
]

test('an address is split at its last @', () => {
  for (const [written, localpart, domain] of SPLIT)
    assert.deepEqual(splitAddress(written), { localpart, domain }, written)
})

test('what has nothing before or after its last @ is not split', () => {
  for (const written of ['', '@', 'kim', 'kim@', '@acme.com', 'kim@lee@'])
    assert.equal(splitAddress(written), undefined, written)
})

test('an address ends without a dot (RFC 5321 section 4.1.2)', () => {
  assert.equal(isAddress('kim@acme.com.'), false)
})
