/** DKIM key records (RFC 6376 section 3.6.1). Signing and verifying mail is a library's job. */

/** The key record for an RSA public key, given as base64 of its SubjectPublicKeyInfo. */
export const dkimRecord = (publicKey: string): string => `v=DKIM1; k=rsa; p=${publicKey}`

/** The record that says a key is revoked: an empty `p=` (RFC 6376 section 3.6.1). */
export const REVOKED_DKIM_RECORD = 'v=DKIM1; k=rsa; p='

export const dkimName = (selector: string, domain: string): string =>
  `${selector}._domainkey.${domain}`

/** The `p=` of a key record without white space; undefined when there is none. */
export function dkimPublicKey(record: string): string | undefined {
  const tag = /(?:^|;)\s*p\s*=([^;]*)/.exec(record)
  return tag?.[1]?.replace(/\s/g, '')
}
