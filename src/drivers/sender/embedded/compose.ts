import { randomUUID } from 'node:crypto'
import { type DKIMSignOptions, dkimSign } from 'mailauth'
import MailComposer from 'nodemailer/lib/mail-composer'
import type { OutgoingMessage } from '../contract.ts'
import type { DkimKey } from './key.ts'

/** What a signature covers, where it is present (RFC 6376 section 5.4.1, RFC 8058 section 4). */
const SIGNED_HEADERS = [
  'From',
  'To',
  'Cc',
  'Subject',
  'Date',
  'Message-ID',
  'Reply-To',
  'MIME-Version',
  'Content-Type',
  'In-Reply-To',
  'References',
  'List-Unsubscribe',
  'List-Unsubscribe-Post',
]

/** The message as it goes over the wire, signed for its author's domain. */
export async function composeSigned(
  message: OutgoingMessage,
  domain: string,
  key: DkimKey,
): Promise<{ raw: Buffer; messageId: string }> {
  const messageId = `<${randomUUID()}@${domain}>`
  const address = `${message.author.localpart}@${domain}`
  const unsigned = await new MailComposer({
    from: { name: message.author.displayName, address },
    to: message.recipient,
    subject: message.subject,
    text: message.text,
    headers: { ...message.headers },
    messageId,
    newline: '\r\n',
    disableFileAccess: true,
    disableUrlAccess: true,
  })
    .compile()
    .build()
  return { raw: Buffer.concat([await signatureOf(unsigned, domain, key), unsigned]), messageId }
}

async function signatureOf(unsigned: Buffer, domain: string, key: DkimKey): Promise<Buffer> {
  const { signatures, errors } = await dkimSign(unsigned, {
    canonicalization: 'relaxed/relaxed',
    headerList: SIGNED_HEADERS,
    signatureData: [{ signingDomain: domain, selector: key.selector, privateKey: key.privateKey }],
  } as DKIMSignOptions)
  // A message that could not be signed must not leave unsigned.
  if (errors.length > 0 || signatures === '') throw new Error(`no DKIM signature for ${domain}`)
  return Buffer.from(signatures)
}
