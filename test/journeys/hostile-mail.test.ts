/** Messages that cost a careless receiver far more than they cost their sender. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Json } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'
import { sendOctets } from '../smtp.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house

before(async () => {
  const { domain_id } = await client.addActive('acme.test')
  const inbox = { domain_id, email_prefix: 'kim', display_name: 'Kim' }
  await client.post('/sender-accounts/coldsend-native', inbox)
})

const MIB = 2 ** 20
const SIZE = 24 * MIB
/** A test that runs beside others on a shared machine sees their pauses too; the product's own are far shorter. */
const SILENCE_LIMIT_MS = 1000
const ANSWER_LIMIT_MS = 30_000

const filled = (unit: string, octets = SIZE) => unit.repeat(Math.floor(octets / unit.length))
const letter = (fields: string, body: string) => `From: ann@inbox.test\r\n${fields}\r\n${body}`
const MIXED = 'Content-Type: multipart/mixed; boundary=b\r\n'
const signature = (n: number, more = '') =>
  `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=d${n}.test; s=s; h=from;${more} bh=AAAA; b=AAAA\r\n`

// biome-ignore format: a table
const HOSTILE: [kind: string, make: () => string, codes: number[]][] = [
  ['blank lines',                   () => letter('', filled('\r\n')),                                           [250]],
  ['lines of spaces',               () => letter('', `${filled(`${' '.repeat(900)}\r\n`)}x`),                   [250]],
  ['one line of spaces',            () => letter('', `x${filled(' ')}x`),                                       [250]],
  ['one line of letters',           () => letter('', filled('x')),                                              [250]],
  ['short lines that end in space', () => letter('', filled('a \r\n')),                                         [250]],
  ['dots',                          () => letter('', filled('.\r\n')),                                          [250]],
  ['parts',                         () => letter(MIXED, filled('--b\r\nContent-Type: text/plain\r\n\r\nx\r\n')), [250]],
  ['empty parts',                   () => letter(MIXED, filled('--b\r\n')),                                     [250]],
  ['nested parts',                  () => nested(3000),                                                         [250]],
  ['nested messages',               () => letter('Content-Type: message/rfc822\r\n', filled('Content-Type: message/rfc822\r\n\r\n')), [250]],
  ['base64',                        () => letter('Content-Transfer-Encoding: base64\r\n', filled(`${'QUFB'.repeat(19)}\r\n`)), [250]],
  ['quoted-printable',              () => letter('Content-Transfer-Encoding: quoted-printable\r\n', filled(`${'=41'.repeat(25)}=\r\n`)), [250]],
  ['iso-2022-jp',                   () => letter('Content-Type: text/plain; charset=iso-2022-jp\r\n', filled('\x1b$B\x1b(B\r\n')), [250]],
  ['flowed text',                   () => letter('Content-Type: text/plain; format=flowed\r\n', filled('> > > a \r\n')), [250]],
  ['HTML tags',                     () => letter('Content-Type: text/html\r\n', filled('<div><b>\r\n')),         [250]],
  ['HTML entities',                 () => letter('Content-Type: text/html\r\n', filled('&amp;&#x0041;\r\n')),   [250]],
  ['boundaries that are none',      () => letter(MIXED, filled('--bb\r\n')),                                    [250]],
  ['signatures over a large body',  () => Array.from({ length: 200 }, (_, n) => signature(n)).join('') + letter('', filled('a b  c\t d \r\n')), [250]],
  ['signatures with l=',            () => Array.from({ length: 200 }, (_, n) => signature(n, ` l=${n * 1000};`)).join('') + letter('', filled('a b  c\t d \r\n')), [250]],
  ['fields',                        () => letter(filled('X: y\r\n'), 'hi'),                                     [552]],
  ['a thousand fields',             () => letter('X: y\r\n'.repeat(990), 'hi'),                                 [250]],
  ['one large field',               () => letter(`X: ${filled(`${'y'.repeat(900)}\r\n `)}y\r\n`, 'hi'),         [552]],
  ['angle brackets',                () => letter(`References: ${filled(`${'<'.repeat(900)}\r\n `, 200_000)}<\r\n`, 'hi'), [250]],
  ['addresses in From',             () => `From: ${'a@b.test,\r\n '.repeat(20_000)}a@b.test\r\n\r\nhi`,          [250]],
  ['addresses in Cc',               () => letter(`Cc: ${'a@b.test,\r\n '.repeat(20_000)}a@b.test\r\n`, 'hi'),    [250]],
  ['brackets in From',              () => `From: ${'"<"'.repeat(60_000)}\r\n\r\nhi`,                             [250]],
  ['encoded words',                 () => letter(`Subject: ${filled(`${'=?utf-8?q?a?= '.repeat(50)}\r\n `, 200_000)}x\r\n`, 'hi'), [250]],
  ['parameters',                    () => letter(`Content-Type: text/plain${Array.from({ length: 9000 }, (_, n) => `;\r\n a*${n}*=x`).join('')}\r\n`, 'hi'), [250]],
  ['comments',                      () => letter(`Subject: ${'('.repeat(200_000)}\r\nDate: ${'('.repeat(50_000)}\r\n`, 'hi'), [250]],
]

function nested(depth: number): string {
  const opening = Array.from(
    { length: depth },
    (_, n) => `--b${n}\r\nContent-Type: multipart/mixed; boundary=b${n + 1}\r\n\r\n`,
  )
  return letter('Content-Type: multipart/mixed; boundary=b0\r\n', `${opening.join('')}hi`)
}

/** Asks the nameserver again and again; the longest that it was silent, in milliseconds. */
async function longestSilence(during: Promise<unknown>): Promise<number> {
  let isOver = false
  void during.finally(() => {
    isOver = true
  })
  let longest = 0
  while (!isOver) {
    const asked = performance.now()
    await ask(house.dns, 'acme.test', 'MX')
    longest = Math.max(longest, performance.now() - asked)
    await delay(20)
  }
  return longest
}

for (const [index, [kind, make, codes]] of HOSTILE.entries()) {
  test(`a message of ${kind} is answered, and keeps nobody else waiting`, async (t) => {
    const raw = Buffer.from(make(), 'latin1')
    const began = performance.now()
    // An address whose messages cost too much rests for a while.
    const from = `127.0.1.${index + 1}`
    const answered = sendOctets(house.smtp, ['kim@acme.test'], raw, { from })
    const silenceMs = await longestSilence(answered)
    const tookMs = performance.now() - began
    t.diagnostic(`${Math.round(tookMs)} ms, the nameserver silent for ${Math.round(silenceMs)} ms`)
    assert.ok(codes.includes(await answered), `${await answered}`)
    assert.ok(silenceMs < SILENCE_LIMIT_MS && tookMs < ANSWER_LIMIT_MS)
  })
}

test('afterwards ordinary mail is judged as before', async () => {
  const raw = Buffer.from('From: ann@inbox.test\r\nSubject: ordinary\r\n\r\nHello\r\n')
  assert.equal(await sendOctets(house.smtp, ['kim@acme.test'], raw), 250)
  const { conversations } = (await client.get('/replies?limit=100')).body
  const shown: Json = conversations.find(({ subject }: Json) => subject === 'ordinary')
  assert.equal(shown.last_message_preview, 'Hello')
  assert.notEqual(shown.authentication.spf, 'temperror')
})
