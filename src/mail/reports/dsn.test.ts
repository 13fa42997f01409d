import assert from 'node:assert/strict'
import { test } from 'node:test'
import PostalMime from 'postal-mime'
import { composeDsn, type Failure } from './dsn.ts'

const FAILURE: Failure = {
  reporter: 'mx.product.example',
  sender: 'kim@acme.example',
  recipient: 'ann@other.example',
  messageId: '<1@acme.example>',
  header: 'From: kim@acme.example\r\nSubject: Hello',
  reply: '550 5.1.1 no such user',
  host: 'mx.other.example [192.0.2.1]',
  acceptedAt: new Date('2026-11-23T10:00:00Z'),
  at: new Date('2026-11-23T10:01:00Z'),
}

async function partsOf(failure: Partial<Failure>) {
  const { raw } = composeDsn({ ...FAILURE, ...failure })
  const mail = await PostalMime.parse(raw)
  const status = mail.attachments.find(({ mimeType }) => mimeType === 'message/delivery-status')
  return { mail, status: Buffer.from(status?.content as ArrayBuffer).toString() }
}

test('people read what happened, programs the fields of RFC 3464', async () => {
  const { mail, status } = await partsOf({})
  assert.match(mail.text ?? '', /ann@other\.example .* was not delivered/)
  assert.match(mail.text ?? '', /550 5\.1\.1 no such user/)
  assert.equal(mail.inReplyTo, '<1@acme.example>')
  assert.match(status, /^Reporting-MTA: dns; mx\.product\.example\r?$/m)
  assert.match(status, /^Final-Recipient: rfc822; ann@other\.example\r?$/m)
  assert.match(status, /^Status: 5\.1\.1\r?$/m)
  assert.match(status, /^Remote-MTA: dns; mx\.other\.example\r?$/m)
})

test('what was given up, or reached no host, is a failure too', async () => {
  const { status } = await partsOf({ reply: '4.4.7 given up: 4.4.1 no answer', host: '' })
  assert.match(status, /^Status: 5\.4\.7\r?$/m)
  assert.doesNotMatch(status, /Remote-MTA/)
})

test('a reply cannot add fields or lines', async () => {
  const { mail, status } = await partsOf({
    reply: '550 x\r\nFinal-Recipient: rfc822; eve@e.example\r\n\r\n--',
  })
  assert.equal(status.match(/^Final-Recipient/gm)?.length, 1)
  assert.equal(mail.headers.filter(({ key }) => key === 'subject').length, 1)
})
