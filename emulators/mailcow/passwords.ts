/** The password policy, and the form of a password's hash. */
import { createHash, randomBytes } from 'node:crypto'
import { type Entry, sayer } from './entries.ts'
import { text } from './php.ts'
import type { Mailcow } from './state.ts'

/** The refusal of a password, which names another call than the one refused. */
export function passwordRefusal(mailcow: Mailcow, one: unknown, two: unknown): Entry | undefined {
  const say = sayer(['password_check', null, null])
  const [password, repeated] = [text(one), text(two)]
  if (password === '' || repeated === '') return say('danger', 'password_complexity')
  if (password !== repeated) return say('danger', 'password_mismatch')
  return isComplex(mailcow, password) ? undefined : say('danger', 'password_complexity')
}

function isComplex({ passwordPolicy: policy }: Mailcow, password: string): boolean {
  const wanted: [number, RegExp][] = [
    [policy.special_chars, /[^a-z\d]/i],
    [policy.chars, /[a-z]/i],
    [policy.numbers, /\d/],
    [policy.lowerupper, /[a-z].*[A-Z]|[A-Z].*[a-z]/s],
  ]
  if (Buffer.byteLength(password) < policy.length) return false
  return wanted.every(([isWanted, pattern]) => isWanted !== 1 || pattern.test(password))
}

/** All numbers are strings here. */
export const policyDetails = ({ passwordPolicy }: Mailcow): unknown =>
  Object.fromEntries(Object.entries(passwordPolicy).map(([name, value]) => [name, String(value)]))

/** Only looks like bcrypt, which Node lacks; there are no logins. */
export function hashOf(password: string): string {
  const salted = createHash('sha512').update(randomBytes(16)).update(password).digest('base64')
  return `{BLF-CRYPT}$2y$10$${salted.replace(/[+=]/g, '.').slice(0, 53)}`
}
