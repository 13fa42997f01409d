import assert from 'node:assert/strict'
import { test } from 'node:test'
import { traceOf } from './trace.ts'

const HOST = 'mx.product.example'
const session = {
  remoteAddress: '192.0.2.7',
  helo: 'mail.sender.example',
  envelopeSender: 'a@sender.example',
}
const header = `Authentication-Results: ${HOST};\r\n spf=pass`
const at = new Date('2026-11-23T10:00:00Z')

test('final delivery writes the reverse-path, the results and where the message came from', () => {
  assert.equal(
    traceOf(session, { header }, HOST, at),
    [
      'Return-Path: <a@sender.example>',
      `Authentication-Results: ${HOST};`,
      ' spf=pass',
      'Received: from mail.sender.example ([192.0.2.7])',
      `\tby ${HOST} with ESMTP; Mon, 23 Nov 2026 10:00:00 +0000`,
      '',
    ].join('\r\n'),
  )
})

test('an IPv6 address is written as one, and a client without a name as unknown', () => {
  const from = { remoteAddress: '2001:db8::1', helo: '', envelopeSender: '' }
  const trace = traceOf(from, { header }, HOST, at)
  assert.match(trace, /^Return-Path: <>\r\n/)
  assert.match(trace, /from unknown \(\[IPv6:2001:db8::1\]\)/)
})
