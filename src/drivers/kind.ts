/** A kind of driver for an outside service, and the tools that its drivers get. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { isLoopback, isPrivateAddress } from '#names/ip.ts'
import type { Guard } from './guard.ts'

/** `settings`: the schema of an account in the accounts file. It refuses unknown fields. */
export type DriverKind<Driver, Settings> = {
  settings: z.ZodType<Settings>
  open(settings: Settings, tools: Tools): Driver
  /** The nameserver pool of a zone host that lets us choose the names of its nameservers. */
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
 * Runs `work` under an exclusive lock on `key`, across all processes. The signal of the work aborts
 * with `signal`, and when the lock is lost: a later write could undo another worker's.
 */
export type Exclusive = <T>(
  key: string,
  work: (held: AbortSignal) => Promise<T>,
  signal: AbortSignal,
) => Promise<T>

/**
 * The facts about a claim that a driver must remember, because its provider does not return them.
 */
export type Notes = {
  read(claimId: string, key: string): Promise<string | undefined>
  write(claimId: string, key: string, value: string): Promise<void>
  /** The keys of its notes. */
  keys(claimId: string): Promise<readonly string[]>
  /** Deletes some of its notes. */
  drop(claimId: string, keys: readonly string[]): Promise<void>
  /** Deletes all of its notes. */
  forget(claimId: string): Promise<void>
  /** Stores a message that the provider accepted, so that later reports find its claim. */
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
  context.addIssue('must be an https URL, or an http URL of a private address')
  return z.NEVER
})

/**
 * A key or token. No error shows it. The schema refuses one that does not fit into a header,
 * because the error of the HTTP request would show it.
 */
export const secret = z
  .string()
  .regex(/^[\x21-\x7e]+$/, 'must be visible ASCII characters, without spaces or line breaks')
