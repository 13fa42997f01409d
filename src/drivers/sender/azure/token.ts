/** Sign-in by client credentials (RFC 6749 section 4.4): keeps one token until shortly before its end. */
import { z } from 'zod'
import { orAborted } from '../../../turns.ts'
import { DriverError } from '../../errors.ts'
import type { HttpAnswer, HttpClient, Refused } from '../../http.ts'

/** A token valid for some more minutes; `drop` discards one that was refused all the same. */
export type Token = { get(signal: AbortSignal): Promise<string>; drop(refused: string): void }

export type Credentials = { tenant_id: string; client_id: string; client_secret: string }

const answered = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number() })

const refusal = z.object({ error: z.string() })

const EARLY_MS = 300_000
/** Many callers share one sign-in: its own deadline ends it, not the first caller's abort. */
const OF_NOBODY = new AbortController().signal

export function tokenSource(http: HttpClient, credentials: Credentials, now: () => number): Token {
  const { tenant_id, client_id, client_secret } = credentials
  let kept: { token: string; untilMs: number } | undefined
  let signingIn: Promise<string> | undefined

  async function signIn(): Promise<string> {
    const scope = 'https://management.azure.com/.default'
    const form = { grant_type: 'client_credentials', client_id, client_secret, scope }
    const path = `/${encodeURIComponent(tenant_id)}/oauth2/v2.0/token`
    const answer = await http({ method: 'POST', path, form }, OF_NOBODY)
    const found = answer.status === 200 ? answered.safeParse(answer.json).data : undefined
    if (found === undefined) {
      const sentence = `Azure's sign-in answered ${answer.status} unexpectedly.`
      throw new DriverError('unavailable', sentence)
    }
    kept = { token: found.access_token, untilMs: now() + found.expires_in * 1000 - EARLY_MS }
    return found.access_token
  }

  return {
    async get(signal) {
      signal.throwIfAborted()
      if (kept && now() < kept.untilMs) return kept.token
      signingIn ??= signIn().finally(() => {
        signingIn = undefined
      })
      return orAborted(signingIn, signal)
    },
    drop(refused) {
      if (kept?.token === refused) kept = undefined
    },
  }
}

/** RFC 6749 section 5.2: 400 for an error in the request, also for an unknown client. */
export const refusesToSignIn = ({ status, json }: HttpAnswer): Refused | undefined =>
  status === 400 && refusal.safeParse(json).success ? 'credentials' : undefined
