/** DKIM signatures of messages that leave (RFC 6376), by a library. */
import { type DKIMSignOptions, dkimSign } from 'mailauth'
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

/** The message with a signature of `domain` on top. Throws where it cannot be signed. */
export async function sign(raw: Buffer, domain: string, key: DkimKey): Promise<Buffer> {
  const { signatures, errors } = await dkimSign(raw, {
    canonicalization: 'relaxed/relaxed',
    headerList: SIGNED_HEADERS,
    signatureData: [{ signingDomain: domain, selector: key.selector, privateKey: key.privateKey }],
  } as DKIMSignOptions)
  // A message that could not be signed must not leave unsigned.
  if (errors.length > 0 || signatures === '') throw new Error(`no DKIM signature for ${domain}`)
  return Buffer.concat([Buffer.from(signatures), raw])
}
