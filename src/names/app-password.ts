/**
 * Passwords with which mail programs log in to an inbox: 8 characters that identify the password, and 26 of
 * secret (130 bits), all of base32 (RFC 4648).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'
export const ID_LENGTH = 8
const SECRET_LENGTH = 26
const SHAPE = new RegExp(`^[a-z2-7]{${ID_LENGTH + SECRET_LENGTH}}$`)
const SCHEME = '{SSHA256}'
const DIGEST_OCTETS = 32
const SALT_OCTETS = 8

/** A new password, to be shown once, with its id and the hash to store. */
export function makeAppPassword(): { id: string; password: string; hash: string } {
  const password = Array.from(randomBytes(ID_LENGTH + SECRET_LENGTH), (octet) => BASE32[octet % 32])
  const text = password.join('')
  return {
    id: text.slice(0, ID_LENGTH),
    password: text,
    hash: hashOf(text, randomBytes(SALT_OCTETS)),
  }
}

/** The id of a well-formed password; undefined for a guess, without a query to the database. */
export const appPasswordId = (written: string): string | undefined =>
  SHAPE.test(written) ? written.slice(0, ID_LENGTH) : undefined

export function isAppPassword(written: string, hash: string): boolean {
  const salt = Buffer.from(hash.slice(SCHEME.length), 'base64').subarray(DIGEST_OCTETS)
  return timingSafeEqual(Buffer.from(hashOf(written, salt)), Buffer.from(hash))
}

/**
 * In the notation of Dovecot, which checks the same hashes. A fast hash is enough for a random secret of 130 bits;
 * a slow one would let strangers keep the processor busy.
 */
function hashOf(password: string, salt: Buffer): string {
  const digest = createHash('sha256').update(password).update(salt).digest()
  return SCHEME + Buffer.concat([digest, salt]).toString('base64')
}
