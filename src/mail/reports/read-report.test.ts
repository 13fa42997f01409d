import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import PostalMime from 'postal-mime'
import { composeDsn } from './dsn.ts'
import { type Report, readReport } from './read-report.ts'

async function read(lines: readonly string[], failedRecipients = '') {
  const mail = await PostalMime.parse(lines.join('\r\n'), { forceRfc822Attachments: true })
  return readReport(mail, failedRecipients)
}

const ofType = (type: string, ...parts: readonly (readonly string[])[]): string[] => [
  'From: MAILER-DAEMON@mx.lead.example',
  'MIME-Version: 1.0',
  `Content-Type: ${type}; boundary="=x"`,
  '',
  ...parts.flatMap((part) => ['--=x', ...part]),
  '--=x--',
  '',
]

const TEXT = ['Content-Type: text/plain', '', 'I am sorry to say that 550 it did not arrive.']
const STATUS = 'Content-Type: message/delivery-status'
const REPORT = 'multipart/report; report-type=delivery-status'
const ORIGINAL = [
  'Content-Type: message/rfc822',
  '',
  'Message-ID: <1@acme.example>',
  'Subject: x',
  '',
  'body',
]
const dsn = (...fields: readonly string[]) =>
  ofType(REPORT, TEXT, [STATUS, '', ...fields], ORIGINAL)
const MTA = ['Reporting-MTA: dns; mx.lead.example', '']

// biome-ignore format: a table
const DELIVERIES: [what: string, message: string[], is: string | undefined, reply?: string][] = [
  ['all fields',                       dsn(...MTA, 'Final-Recipient: rfc822; ann@lead.example', 'Action: failed', 'Status: 5.1.1', 'Diagnostic-Code: smtp; 550 5.1.1 <ann@lead.example>: unknown'), 'failed', '550 5.1.1 <ann@lead.example>: unknown'],
  ['a folded diagnostic code',         dsn(...MTA, 'Action: failed', 'Status: 5.2.2', 'Diagnostic-Code: smtp;552-5.2.2 the', '    mailbox is full'), 'failed', '552-5.2.2 the mailbox is full'],
  ['a status beside the code',         dsn(...MTA, 'Action: failed', 'Status: 5.0.0 (permanent failure)', 'Diagnostic-Code: smtp; 550 no'), 'failed', '5.0.0 550 no'],
  ['a type of diagnostic of its own',  dsn(...MTA, 'Action: failed', 'Status: 5.4.4', 'Diagnostic-Code: DNS; Host not found'), 'failed', '5.4.4 Host not found'],
  ['no type before the recipient',     dsn(...MTA, 'Final-Recipient: ann@lead.example', 'Action: failed', 'Status: 5.7.1'), 'failed', '5.7.1'],
  ['an action in capitals, a comment', dsn(...MTA, 'Action: Failed (bad mailbox)', 'Status: 5.1.1'), 'failed', '5.1.1'],
  ['no action',                        dsn(...MTA, 'Status: 5.1.1'), 'failed', '5.1.1'],
  ['no action, and a passing trouble', dsn(...MTA, 'Status: 4.4.1'), 'delayed', '4.4.1'],
  ['given up after a passing trouble', dsn(...MTA, 'Action: failed', 'Status: 4.4.7'), 'failed', '4.4.7'],
  ['late',                             dsn(...MTA, 'Action: delayed', 'Status: 4.4.1', 'Will-Retry-Until: Thu, 26 Nov 2026 10:00:00 +0000'), 'delayed', '4.4.1'],
  ['relayed to who does not report',   dsn(...MTA, 'Action: relayed', 'Status: 2.1.9'), 'delivered', '2.1.9'],
  ['one of two failed',                dsn(...MTA, 'Action: delivered', 'Status: 2.0.0', '', 'Action: failed', 'Status: 5.1.1'), 'failed', '5.1.1'],
  ['fields of the recipient alone',    dsn('Action: failed', 'Status: 5.1.1'), 'failed', '5.1.1'],
  ['blank lines before the fields',    dsn('', '', ...MTA, 'Action: failed', 'Status: 5.1.1'), 'failed', '5.1.1'],
  ['in mail beyond ASCII (RFC 6533)',  ofType(REPORT, TEXT, ['Content-Type: message/global-delivery-status', '', ...MTA, 'Action: failed', 'Status: 5.1.1']), 'failed', '5.1.1'],
  ['in base64',                        ofType(REPORT, TEXT, [STATUS, 'Content-Transfer-Encoding: base64', '', Buffer.from('Action: failed\r\nStatus: 5.1.1\r\n').toString('base64')]), 'failed', '5.1.1'],
  ['of a type that names no report',   ofType('multipart/mixed', TEXT, [STATUS, '', ...MTA, 'Action: failed', 'Status: 5.1.1']), 'failed', '5.1.1'],
  ['no fields at all',                 dsn('', ''), undefined],
  ['an action that objects have',      dsn(...MTA, 'Action: constructor'), undefined],
  ['an unknown action',                dsn(...MTA, 'Action: pondered'), undefined],
  ['no part for programs',             ofType(REPORT, TEXT), undefined],
  ['qmail',                            ['Subject: failure notice', '', 'Hi. This is the qmail-send program at lead.example.', 'I was not able to deliver it.', '', '<ann@lead.example>:', 'Sorry, no mailbox here by that name. (#5.1.1)', '', '--- Below this line is a copy of the message.'], 'failed', 'Sorry, no mailbox here by that name. (#5.1.1)'],
  ['people who write of it',           ['Subject: failure notice', '', 'They said 550 5.1.1 no such user, Action: failed.'], undefined],
]

describe('a delivery status notification', () => {
  for (const [what, message, is, reply] of DELIVERIES) {
    test(what, async () => {
      const found = await read(message)
      assert.deepEqual([found?.is, found?.reply], [is, reply])
    })
  }

  test('names the host that refused, or else the one that reports', async () => {
    const remote = ['Action: failed', 'Status: 5.1.1', 'Remote-MTA: dns; mx2.lead.example']
    assert.equal((await read(dsn(...MTA, ...remote)))?.host, 'mx2.lead.example')
    assert.equal((await read(dsn(...MTA, 'Action: failed')))?.host, 'mx.lead.example')
  })

  test('names the message that it returns', async () => {
    assert.equal((await read(dsn(...MTA, 'Action: failed')))?.messageId, '<1@acme.example>')
  })

  test('in a plain message names those who failed in its header section', async () => {
    const plain = ['Subject: Mail delivery failed', '', 'ann@lead.example', '    550 no such user']
    const found = await read(plain, 'ann@lead.example')
    assert.deepEqual([found?.is, found?.reply], ['failed', '550 no such user'])
  })

  test('of ours is read as what it says', async () => {
    const { raw } = composeDsn({
      reporter: 'mx.product.example',
      sender: 'kim@acme.example',
      recipient: 'ann@other.example',
      messageId: '<1@acme.example>',
      header: 'Message-ID: <1@acme.example>\r\nSubject: Hello',
      reply: '550 5.1.1 no such user',
      host: 'mx.other.example [192.0.2.1]',
      acceptedAt: new Date(0),
      at: new Date(1000),
    })
    const found = await read([raw.toString()])
    const expected: Report = {
      is: 'failed',
      reply: '550 5.1.1 no such user',
      host: 'mx.other.example',
      envelopeSender: '',
      messageId: '<1@acme.example>',
    }
    assert.deepEqual(found, expected)
  })
})

const feedback = (fields: readonly string[], original: readonly string[] = ORIGINAL) =>
  ofType(
    'multipart/report; report-type=feedback-report',
    TEXT,
    ['Content-Type: message/feedback-report', '', ...fields],
    original,
  )

// biome-ignore format: a table
const COMPLAINTS: [what: string, message: string[], expected: Partial<Report> | undefined][] = [
  ['all fields',                   feedback(['Feedback-Type: abuse', 'Version: 1', 'Original-Mail-From: <b+1@bounce.acme.example>', 'Reporting-MTA: dns; mx.lead.example']), { reply: 'abuse', envelopeSender: 'b+1@bounce.acme.example', host: 'mx.lead.example', messageId: '<1@acme.example>' }],
  ['three fields (JMRP)',          feedback(['Feedback-Type: abuse', 'User-Agent: JMRP/1.0', 'Version: 1']), { reply: 'abuse', envelopeSender: '', messageId: '<1@acme.example>' }],
  ['no brackets',                  feedback(['Feedback-Type: fraud', 'Original-Mail-From: b+1@bounce.acme.example']), { reply: 'fraud', envelopeSender: 'b+1@bounce.acme.example' }],
  ['the Return-Path of the message', feedback(['Feedback-Type: abuse'], ['Content-Type: text/rfc822-headers', '', 'Return-Path: <b+2@bounce.acme.example>', 'Subject: x']), { envelopeSender: 'b+2@bounce.acme.example', messageId: '' }],
  ['that it is no spam',           feedback(['Feedback-Type: not-spam']), undefined],
  ['a forgery (RFC 6591)',         feedback(['Feedback-Type: auth-failure', 'Auth-Failure: dmarc']), undefined],
  ['no type',                      feedback(['User-Agent: X/1.0']), undefined],
]

describe('a complaint', () => {
  for (const [what, message, expected] of COMPLAINTS) {
    test(what, async () => {
      const found = await read(message)
      assert.equal(found?.is, expected && 'complaint')
      for (const [key, value] of Object.entries(expected ?? {}))
        assert.equal(found?.[key as keyof Report], value)
    })
  }
})

test('whatever stands in a report, it is read or not, and what is read is bounded', async () => {
  const field = fc.tuple(
    fc.constantFrom('Action', 'Status', 'Diagnostic-Code', 'Remote-MTA', 'Feedback-Type', 'x'),
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('failed', '5.1.1', 'smtp; '.repeat(999)),
    ),
  )
  const lines = fc.array(
    fc.oneof(
      field.map(([name, value]) => `${name}: ${value}`),
      fc.constant(''),
    ),
  )
  await fc.assert(
    fc.asyncProperty(lines, fc.boolean(), async (fields, isDelivery) => {
      const found = await read(isDelivery ? dsn(...fields) : feedback(fields))
      if (!found) return
      assert.ok(found.reply.length <= 500 && found.host.length <= 255)
      assert.doesNotMatch(found.reply + found.host, /\p{Cc}/u)
    }),
    { numRuns: 300 },
  )
})
