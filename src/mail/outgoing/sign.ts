/** Adds DKIM signatures to outgoing messages (RFC 6376), by a library. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import DKIM from 'nodemailer/lib/dkim'
import type { DkimKey } from './key.ts'

/** The fields that a signature covers, if present (RFC 6376 section 5.4.1, RFC 8058 section 4). */
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

/** The message with a signature of `domain` on top. Throws if signing fails. */
export async function sign(raw: Buffer, domain: string, key: DkimKey): Promise<Buffer> {
  const signer = new DKIM({
    domainName: domain,
    keySelector: key.selector,
    // The library's types allow only text; it passes the key on to Node, which takes both.
    privateKey: privateKeyOf(key.privateKey) as unknown as string,
    headerFieldNames: SIGNED_HEADERS.join(':'),
  })
  const signed = await buffer(signer.sign(raw))
  // An unsigned message must not leave: when signing fails, the library returns it unchanged.
  const isSigned =
    signed.length > raw.length && signed.subarray(0, SIGNATURE.length).equals(SIGNATURE)
  if (!isSigned) throw new Error(`no DKIM signature for ${domain}`)
  return signed
}

const KEYS_KNOWN = 1000
const known = new Map<string, KeyObject>()

/** A cached key signs in half the time of one that is parsed anew. */
function privateKeyOf(pem: string): KeyObject {
  const found = known.get(pem)
  if (found) return found
  if (known.size >= KEYS_KNOWN) known.clear()
  const key = createPrivateKey(pem)
  known.set(pem, key)
  return key
}
