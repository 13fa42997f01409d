/**
 * The two forms of Azure's refusals: both APIs answer `{error: {code, message}}`, sign-in its own form.
 */
import type { EmulatedAnswer } from '../server.ts'

export function errorAnswer(status: number, code: string, message: string): EmulatedAnswer {
  return { status, json: { error: { code, message } } }
}

/** Thrown wherever the provider refuses a request; caught by the code that answers it. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly answer: EmulatedAnswer
  readonly code: string

  constructor(
    status: number,
    code: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(`${status} ${code}: ${message}`)
    this.code = code
    this.answer = { ...errorAnswer(status, code, message), headers }
  }
}

/** For injected faults, which do not know the API of the request. */
const INJECTED = {
  401: ['InvalidAuthenticationToken', 'The access token is invalid.'],
  403: ['AuthorizationFailed', 'The client does not have authorization to perform this action.'],
  429: ['TooManyRequests', 'The request is being throttled as the limit has been reached.'],
  500: ['InternalServerError', 'An error has occurred.'],
  503: ['ServerUnavailable', 'The server is temporarily unable to process the request.'],
} as const satisfies Record<number, readonly [string, string]>

export function refusal(status: keyof typeof INJECTED): EmulatedAnswer {
  const [code, message] = INJECTED[status]
  return errorAnswer(status, code, message)
}
