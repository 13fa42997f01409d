/** The parts of a driver for an outside service, and what it is given. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { isLoopback, isPrivateAddress } from '#names/ip.ts'
import type { Guard } from './guard.ts'

/** `settings` is the schema of its account in the accounts file; unknown fields are refused. */
export type DriverKind<Driver, Settings> = {
  settings: z.ZodType<Settings>
  open(settings: Settings, tools: Tools): Driver
  /** The pool for a zone host that lets us choose the names of its nameservers. */
  pool?(settings: Settings): { zone: string; addresses: readonly string[] }
}

export type Tools = {
  /** The account's name in the accounts file. */
  account: string
  guard: Guard
  exclusive: Exclusive
  notes: Notes
  /** The time of day, in milliseconds since 1970. */
  now(): number
}

/**
 * Runs work while no other work under the same key runs, in this process or another. The work's signal
 * is aborted with `signal`, and when the lock is lost: a later write would undo another worker's.
 */
export type Exclusive = <T>(
  key: string,
  work: (held: AbortSignal) => Promise<T>,
  signal: AbortSignal,
) => Promise<T>

/** What a driver must remember of a claim because its provider does not return it. */
export type Notes = {
  read(claimId: string, key: string): Promise<string | undefined>
  write(claimId: string, key: string, value: string): Promise<void>
  /** The keys of its notes. */
  keys(claimId: string): Promise<readonly string[]>
  /** Deletes some of its notes. */
  drop(claimId: string, keys: readonly string[]): Promise<void>
  /** Deletes all of its notes. */
  forget(claimId: string): Promise<void>
  /** Notes a message that was handed over, so that later reports find its claim. */
  handedOver(claimId: string, operationId: string, recipient: string): Promise<void>
}

/** The URL of a service: with TLS, or without on private networks. No trailing slash. */
export const serviceUrl = z.string().transform((written, context) => {
  const url = URL.parse(written)
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? ''
  const isNear =
    isLoopback(host) || host === 'localhost' || (isIP(host) !== 0 && isPrivateAddress(host))
  if (url && (url.protocol === 'https:' || (url.protocol === 'http:' && isNear)) && !url.username) {
    return written.replace(/\/+$/, '')
  }
  context.addIssue('an https URL is wanted, or an http one of a private address')
  return z.NEVER
})

/**
 * A key or token: never shown, not even when it is wrong. One that does not fit into a header was copied
 * wrongly, and would appear in the error of the request.
 */
export const secret = z
  .string()
  .regex(
    /^[\x21-\x7e]+$/,
    'a key of visible ASCII characters is wanted, without spaces or line breaks',
  )
