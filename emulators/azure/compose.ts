/** The message that Azure sends: MIME, signed for the customer's domain with Azure's key. */
import { type DKIMSignOptions, dkimSign } from 'mailauth'
import MailComposer from 'nodemailer/lib/mail-composer'
import { type Key, SELECTORS } from './key.ts'
import { type Message, travellingHeaders } from './message.ts'

type Author = { displayName: string | undefined; domain: string; messageId: string }
type Addresses = Message['replyTo']

const named = (list: Addresses = []) =>
  list.map(({ address, displayName = '' }) => ({ address, name: displayName }))

export async function compose(message: Message, author: Author, key: Key): Promise<Buffer> {
  const { content, recipients, replyTo, attachments = [] } = message
  const unsigned = await new MailComposer({
    from: { address: message.senderAddress, name: author.displayName ?? '' },
    to: named(recipients.to),
    cc: named(recipients.cc),
    replyTo: named(replyTo),
    subject: content.subject,
    ...(content.plainText !== undefined && { text: content.plainText }),
    ...(content.html !== undefined && { html: content.html }),
    headers: travellingHeaders(message),
    attachments: attachments.map(({ name, contentType, contentInBase64, contentId }) => ({
      filename: name,
      contentType,
      content: Buffer.from(contentInBase64, 'base64'),
      ...(contentId !== undefined && { cid: contentId }),
    })),
    messageId: author.messageId,
    newline: '\r\n',
    disableFileAccess: true,
    disableUrlAccess: true,
  })
    .compile()
    .build()
  return Buffer.concat([await signatureOf(unsigned, author.domain, key), unsigned])
}

async function signatureOf(unsigned: Buffer, domain: string, key: Key): Promise<Buffer> {
  const { signatures, errors } = await dkimSign(unsigned, {
    canonicalization: 'relaxed/relaxed',
    signatureData: [
      { signingDomain: domain, selector: SELECTORS.DKIM, privateKey: key.privateKey },
    ],
  } as DKIMSignOptions)
  if (errors.length > 0 || signatures === '') throw new Error(`no DKIM signature for ${domain}`)
  return Buffer.from(signatures)
}
