/** What a driver for an outside service is made of, and what it is handed. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { isLoopback, isPrivateAddress } from '#names/ip.ts'
import type { Guard } from './guard.ts'

/** `settings` is the shape of its account in the accounts file; unknown fields are refused. */
export type DriverKind<Driver, Settings> = {
  settings: z.ZodType<Settings>
  open(settings: Settings, tools: Tools): Driver
  /** The nameservers of a zone host that leaves their names to us. */
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
 * Runs work while no other process, and nobody else here, runs work under the same key. What it is handed
 * is aborted with `signal`, and as soon as the turn is lost: what is written later would undo another's.
 */
export type Exclusive = <T>(
  key: string,
  work: (held: AbortSignal) => Promise<T>,
  signal: AbortSignal,
) => Promise<T>

/** What a driver must remember of a claim and its provider does not tell. */
export type Notes = {
  read(claimId: string, key: string): Promise<string | undefined>
  write(claimId: string, key: string, value: string): Promise<void>
  /** What is remembered of it. */
  keys(claimId: string): Promise<readonly string[]>
  /** Forgets some of it. */
  drop(claimId: string, keys: readonly string[]): Promise<void>
  /** Forgets all of it. */
  forget(claimId: string): Promise<void>
  /** Keeps what was handed over for sending, so that what is told of it later finds its claim. */
  handedOver(claimId: string, operationId: string, recipient: string): Promise<void>
}

/** Where a service is: over TLS, or in the clear where nobody else listens in. No slash at the end. */
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
 * A key or token: never shown, not even when it is wrong. What a header cannot carry was copied wrongly,
 * and would come back in the error of whoever tries.
 */
export const secret = z
  .string()
  .regex(
    /^[\x21-\x7e]+$/,
    'a key of visible ASCII characters is wanted, without spaces or line breaks',
  )
