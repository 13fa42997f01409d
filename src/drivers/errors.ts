/** What can go wrong at a provider. "No" is `rejected`; "could not ask" is every other kind but `conflict`. */
export type DriverErrorKind =
  | 'unauthorized'
  | 'forbidden'
  | 'rejected'
  | 'conflict'
  | 'throttled'
  | 'unavailable'

/** A provider's no to one mailbox or identity: what it concerns waits, and nothing else. */
export type Refusal = { reason: string; message: string }

/**
 * A provider said no, or could not be asked. The kind alone decides what the engine does next.
 * The message is shown to people: it holds no secret, no request id and no time of day.
 */
export class DriverError extends Error {
  override readonly name = 'DriverError'
  readonly kind: DriverErrorKind
  readonly retryAfterMs: number | undefined

  constructor(
    kind: DriverErrorKind,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number } = {},
  ) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.retryAfterMs = options.retryAfterMs
  }
}
