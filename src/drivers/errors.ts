/**
 * Failures of a provider. `rejected` is a refusal; every other kind but `conflict` means that it could
 * not be asked.
 */
export type DriverErrorKind =
  | 'unauthorized'
  | 'forbidden'
  | 'rejected'
  | 'conflict'
  | 'throttled'
  | 'unavailable'

/** A provider's refusal of one mailbox or identity: only that one waits. */
export type Refusal = { reason: string; message: string }

/**
 * A provider refused, or could not be asked. The kind alone decides what the engine does next. The
 * message is shown to people: it holds no secret, no request id and no time of day.
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
