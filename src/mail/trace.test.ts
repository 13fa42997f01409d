import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stampMessage } from './trace.ts'

const HOST = 'mx.product.example'
const session = {
  remoteAddress: '192.0.2.7',
  helo: 'mail.sender.example',
  envelopeSender: 'a@sender.example',
}
const judgement = {
  spf: { result: 'pass', domain: 'sender.example', aligned: true },
  dkim: { result: 'none', domain: '', aligned: false },
  dmarc: { result: 'pass', policy: 'none' },
  header: `Authentication-Results: ${HOST};\r\n spf=pass`,
}
const at = new Date('2026-11-23T10:00:00Z')
const stamp = (raw: string) =>
  stampMessage(Buffer.from(raw), session, judgement, HOST, at).toString()

test('final delivery writes the reverse-path, the judgement and where the message came from', () => {
  assert.equal(
    stamp('Subject: x\r\n\r\nbody\r\n'),
    [
      'Return-Path: <a@sender.example>',
      `Authentication-Results: ${HOST};`,
      ' spf=pass',
      'Received: from mail.sender.example ([192.0.2.7])',
      `\tby ${HOST} with ESMTP; Mon, 23 Nov 2026 10:00:00 +0000`,
      'Subject: x',
      '',
      'body',
      '',
    ].join('\r\n'),
  )
})

test('a judgement that came from outside under our name is taken out, and no other', () => {
  const forged = `Authentication-Results: ${HOST.toUpperCase()};\r\n dkim=pass\r\n`
  const others = 'Authentication-Results: mx.other.example; spf=fail\r\n'
  const stamped = stamp(
    `${forged}${others}Subject: x\r\n\r\nAuthentication-Results: ${HOST}; in the body\r\n`,
  )
  assert.doesNotMatch(stamped, /dkim=pass/)
  assert.match(stamped, /mx\.other\.example; spf=fail/)
  assert.match(stamped, /in the body/)
})

test('a message without a body, or without anything, is stamped too', () => {
  assert.match(stamp(''), /^Return-Path:/)
  assert.match(stamp('Subject: only a header\r\n'), /Subject: only a header/)
})
