/** Secrets at rest: AES-256-GCM under a key that is not in the database. */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** The key that sealed a text, so that a second key can be added later. */
const VERSION = 'v1'
const NONCE_OCTETS = 12
const TAG_OCTETS = 16

export type Vault = {
  /** `label` says what the secret is for and whose; a text opens only under the label it was sealed with. */
  seal(secret: string, label: string): string
  open(sealed: string, label: string): string
  /** A keyed hash, to find a secret again without storing it. */
  fingerprint(secret: string): Buffer
}

/** `key` is 32 octets. */
export function openVault(key: Buffer): Vault {
  const sealing = derive(key, 'seal')
  const hashing = derive(key, 'fingerprint')
  return {
    seal(secret, label) {
      const nonce = randomBytes(NONCE_OCTETS)
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(Buffer.from(label))
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
      return `${VERSION}:${Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64')}`
    },
    open(sealed, label) {
      const [version, body] = sealed.split(':')
      if (version !== VERSION || body === undefined)
        throw new Error('sealed by a key we do not have')
      const octets = Buffer.from(body, 'base64')
      const nonce = octets.subarray(0, NONCE_OCTETS)
      const tag = octets.subarray(NONCE_OCTETS, NONCE_OCTETS + TAG_OCTETS)
      const decipher = createDecipheriv('aes-256-gcm', sealing, nonce, {
        authTagLength: TAG_OCTETS,
      })
        .setAAD(Buffer.from(label))
        .setAuthTag(tag)
      const text = octets.subarray(NONCE_OCTETS + TAG_OCTETS)
      return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8')
    },
    fingerprint: (secret) => createHmac('sha256', hashing).update(secret).digest(),
  }
}

const derive = (key: Buffer, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, 'mailstead', purpose, 32))
