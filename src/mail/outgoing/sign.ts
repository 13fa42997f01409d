/** DKIM signatures of messages that leave (RFC 6376), by a library. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import DKIM from 'nodemailer/lib/dkim'
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

const SIGNATURE = Buffer.from('DKIM-Signature: ')

/** The message with a signature of `domain` on top. Throws where it cannot be signed. */
export async function sign(raw: Buffer, domain: string, key: DkimKey): Promise<Buffer> {
  const signer = new DKIM({
    domainName: domain,
    keySelector: key.selector,
    // The types of the library know the text alone; what it hands on to Node may be either.
    privateKey: privateKeyOf(key.privateKey) as unknown as string,
    headerFieldNames: SIGNED_HEADERS.join(':'),
  })
  const signed = await buffer(signer.sign(raw))
  // A message that could not be signed must not leave unsigned: the library gives it back as it was.
  const isSigned =
    signed.length > raw.length && signed.subarray(0, SIGNATURE.length).equals(SIGNATURE)
  if (!isSigned) throw new Error(`no DKIM signature for ${domain}`)
  return signed
}

const KEYS_KNOWN = 1000
const known = new Map<string, KeyObject>()

/** A key that has been used signs in half the time of one that is read anew. */
function privateKeyOf(pem: string): KeyObject {
  const found = known.get(pem)
  if (found) return found
  if (known.size >= KEYS_KNOWN) known.clear()
  const key = createPrivateKey(pem)
  known.set(pem, key)
  return key
}
