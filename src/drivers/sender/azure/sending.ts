/**
 * Sends with the access key of the communication service, fetched when needed. A fault here stops only
 * sending, and no other work of the account.
 */
import { DriverError } from '../../errors.ts'
import type { HttpClient } from '../../http.ts'
import type { Arm } from './arm.ts'
import { type Access, accessIn, type Email, type SendEmailResult, sendEmail } from './data-plane.ts'
import { isUnknown, refusalOf } from './refusals.ts'

export type SendingParts = {
  arm: Arm
  /** A client for the endpoint in a connection string. */
  clientAt(endpoint: string): HttpClient
  now(): number
  /** Notifies the operator. */
  warn(sentence: string): void
}

/** Hands a message over under an operation id, and returns Azure's id for it. */
export type Sending = (operationId: string, email: Email, signal: AbortSignal) => Promise<string>

type Refused = Extract<SendEmailResult, { code: string }>

/** Long, because repeated tries with a wrong key look like an attack. */
const REFUSED_MS = 3_600_000
const KEY_REFUSED =
  'Azure refuses the access key that it has just given us; keys may be switched off at the communication service.'
const BLOCKED = 'Azure has blocked the whole subscription from sending.'

export function azureSending({ arm, clientAt, now, warn }: SendingParts): Sending {
  let kept: { client: HttpClient; access: Access } | undefined
  let restsUntilMs = Number.NEGATIVE_INFINITY

  async function way(signal: AbortSignal) {
    if (kept) return kept
    const access = accessIn(await arm.connectionString(signal))
    kept = { client: clientAt(access.endpoint), access }
    return kept
  }

  async function handOver(operationId: string, email: Email, signal: AbortSignal) {
    const used = await way(signal)
    const { client, access } = used
    const handed = await sendEmail(client, access, operationId, email, now(), signal)
    if (isKeyRefused(handed) && kept === used) kept = undefined
    return handed
  }

  function refusalFor(refused: Refused): DriverError {
    if (isKeyRefused(refused)) {
      restsUntilMs = now() + REFUSED_MS
      warn(KEY_REFUSED)
      return new DriverError('unauthorized', KEY_REFUSED, { retryAfterMs: REFUSED_MS })
    }
    if (refused.code === 'SubscriptionBlocked') warn(BLOCKED)
    return refusalOfMessage(refused)
  }

  return async (operationId, email, signal) => {
    const retryAfterMs = restsUntilMs - now()
    if (retryAfterMs > 0) throw new DriverError('unauthorized', KEY_REFUSED, { retryAfterMs })
    let handed = await handOver(operationId, email, signal)
    // The key may have been rotated since we fetched it.
    if (isKeyRefused(handed)) handed = await handOver(operationId, email, signal)
    // The operation exists: Azure took the message, and its answer was lost.
    if ('code' in handed && handed.status === 409) return operationId
    if ('code' in handed) throw refusalFor(handed)
    return handed.operationId
  }
}

const isKeyRefused = (handed: SendEmailResult): boolean => 'code' in handed && handed.status === 401

/** By its code rather than its status: `DomainNotLinked` has been seen with two of them. */
function refusalOfMessage({ status, code }: Refused): DriverError {
  if (isUnknown(code)) return refusalOf(status, code)
  if (code === 'SubscriptionBlocked') return new DriverError('forbidden', BLOCKED)
  if (code === 'DomainNotLinked') {
    const sentence = 'Azure says that the domain is not linked; it is linked again.'
    return new DriverError('unavailable', sentence)
  }
  return new DriverError('rejected', `Azure refuses the message: ${code}.`)
}
