import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressParser } from 'postal-mime'
import { decodedContent } from '../content.ts'
import { prepare } from './prepare.ts'

const KIM = 'kim@acme.test'
const NOW = new Date('2026-12-01T10:00:00Z')

const submitted = (raw: string) =>
  prepare({
    raw: Buffer.from(raw.replaceAll('\n', '\r\n'), 'latin1'),
    address: KIM,
    host: 'mx.acme.test',
    id: '01980000-0000-7000-8000-000000000000',
    now: NOW,
  })

async function sent(raw: string): Promise<string> {
  const prepared = await submitted(raw)
  assert.equal(prepared.is, 'prepared', JSON.stringify(prepared))
  return prepared.is === 'prepared' ? decodedContent(prepared.content).toString('latin1') : ''
}

const AUTHORS = [
  'kim@acme.test',
  'Kim@Acme.TEST',
  '<kim@acme.test>',
  'Kim <kim@acme.test>',
  'Kim E. Example <kim@acme.test>',
  '"Kim, of Acme" <kim@acme.test>',
  '"kim@acme.test" <kim@acme.test>',
  '=?utf-8?q?J=C3=BCrgen?= <kim@acme.test>',
  'Kim\n <kim@acme.test>',
]

for (const author of AUTHORS)
  test(`an author is ${JSON.stringify(author)}`, async () => {
    await sent(`From: ${author}\nSubject: x\n\nText\n`)
  })

const OTHERS = [
  '',
  'ceo@acme.test',
  'kim@acme.test, ceo@acme.test',
  'ceo@acme.test, kim@acme.test',
  'Board: kim@acme.test;',
  'Board: Kim <kim@acme.test>;',
  'undisclosed:;',
  'ceo@acme.test <kim@acme.test>',
  '"ceo@evil.test" <kim@acme.test>',
  '=?utf-8?q?ceo=40evil.test?= <kim@acme.test>',
  '=?utf-8?b?Y2VvQGV2aWwudGVzdA==?= <kim@acme.test>',
  '=?utf-8?q?ceo=EF=BC=A0evil.test?= <kim@acme.test>',
  '=?utf-8?q?kim=40acme.test?=',
  '<ceo@evil.test> <kim@acme.test>',
  '<kim@acme.test> ceo@evil.test',
  'kim@acme.test <ceo@evil.test>',
  '(ceo@evil.test) kim@acme.test',
  '(x) <kim@acme.test>',
  '<@evil.test:kim@acme.test>',
  '<kim@acme.test\0>',
  '"unfinished <kim@acme.test>',
  'kim@acme.test.evil.test',
  'xkim@acme.test',
  'Kim\xfc <kim@acme.test>',
]

for (const field of ['From', 'Sender'])
  for (const author of OTHERS)
    test(`${JSON.stringify(author)} in ${field} is refused`, async () => {
      const first = field === 'From' ? '' : 'From: kim@acme.test\n'
      const result = await submitted(`${first}${field}: ${author}\nSubject: x\n\nText\n`)
      assert.equal(result.is, 'refused')
    })

const REFUSED: [string, string][] = [
  ['no author', 'Subject: x\n\nText\n'],
  ['two authors', 'From: kim@acme.test\nFrom: ceo@acme.test\n\nText\n'],
  ['the same author twice', 'From: kim@acme.test\nFrom: kim@acme.test\n\nText\n'],
  [
    'an author with a space before its colon, and another',
    'From: kim@acme.test\nFrom : ceo@evil.test\n\n',
  ],
  ['two subjects', 'From: kim@acme.test\nSubject: a\nSubject: b\n\nText\n'],
  ['two senders', 'From: kim@acme.test\nSender: kim@acme.test\nSender: kim@acme.test\n\n'],
  ['Resent-From', 'From: kim@acme.test\nResent-From: ceo@acme.test\n\nText\n'],
  ['Resent-Sender', 'From: kim@acme.test\nResent-Sender: kim@acme.test\n\nText\n'],
  ['a field without a name', 'From: kim@acme.test\nnonsense\n\nText\n'],
  ['a Message-ID that is none', 'From: kim@acme.test\nMessage-ID: hello\n\nText\n'],
  [
    'a message that runs in circles',
    `From: kim@acme.test\n${'Received: by x; y\n'.repeat(50)}\nText\n`,
  ],
  ['a header section without end', `From: kim@acme.test\n${'X: y\n'.repeat(1100)}\nText\n`],
]

for (const [what, raw] of REFUSED)
  test(`${what}: refused`, async () => {
    assert.equal((await submitted(raw)).is, 'refused')
  })

test('a bare line feed is refused', async () => {
  const raw = Buffer.from('From: kim@acme.test\r\n\r\na\nb\r\n')
  const result = await prepare({ raw, address: KIM, host: 'mx', id: 'x', now: NOW })
  assert.equal(result.is, 'refused')
})

test('what recipients must not see goes, and what is missing comes', async () => {
  const content = await sent(
    'From: kim@acme.test\nBcc: secret@x.test\n more@x.test\nReturn-Path: <a@b>\nTo: a@b.test\n\nText\n',
  )
  assert.doesNotMatch(content, /secret|more@x|Return-Path/)
  assert.match(content, /^Received: by mx\.acme\.test with ESMTPSA id/)
  assert.match(content, /\r\nMessage-ID: <01980000-0000-7000-8000-000000000000@acme\.test>\r\n/)
  assert.match(content, /\r\nDate: Tue, 01 Dec 2026 10:00:00 \+0000\r\n/)
  assert.match(content, /\r\n\r\nText\r\n$/)
})

test('what is there stays as it is', async () => {
  const content = await sent(
    'From: kim@acme.test\nMessage-ID: <own@acme.test>\nDate: Mon, 1 Jan 2024 00:00:00 +0100\n\nText\n',
  )
  assert.equal(content.match(/Message-ID/g)?.length, 1)
  assert.equal(content.match(/Date:/g)?.length, 1)
  assert.match(content, /<own@acme\.test>/)
})

test('whatever passes, another parser finds the same single author', async () => {
  const piece = fc.constantFrom(
    'kim@acme.test',
    '<kim@acme.test>',
    'ceo@evil.test',
    '<ceo@evil.test>',
    '"',
    '\\',
    '(',
    ')',
    ',',
    ':',
    ';',
    ' ',
    '=?utf-8?q?',
    '?=',
    '=40',
    'Kim',
    '@',
    '<',
    '>',
    '\n ',
    '.',
    '[',
    ']',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      const value = pieces.join('')
      const result = await submitted(`From: ${value}\n\nText\n`)
      if (result.is === 'refused') return
      const found = addressParser(value.replaceAll('\n', ''))
      assert.equal(found.length, 1, value)
      assert.equal(found[0]!.address?.toLowerCase(), KIM, value)
      assert.doesNotMatch(found[0]!.name.replace(KIM, ''), /@/, value)
    }),
    { numRuns: 2000 },
  )
})
