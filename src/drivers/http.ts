/**
 * The HTTP client of all drivers: deadlines, limits, and the mapping of common failures to
 * `DriverError`. Each driver interprets other 4xx itself. It never retries, and keeps a provider's
 * answers, addresses and headers out of sentences: they may hold secrets.
 */
import { DriverError } from './errors.ts'
import type { Guard } from './guard.ts'

export type HttpCall = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query; appended to the base URL. */
  path: string
  json?: unknown
  form?: Readonly<Record<string, string>>
  headers?: Readonly<Record<string, string>>
  /** The same call was just made, and got an empty answer. */
  isRepeated?: boolean
  /** Statuses with a meaning of their own in this call, returned as they are, with a body or without. */
  ownMeaning?: readonly number[]
}

/** `json` is undefined for an empty body; refusals have one only at statuses in `ownMeaning`. */
export type HttpAnswer = { status: number; headers: Headers; json: unknown }

export type HttpClient = (call: HttpCall, signal: AbortSignal) => Promise<HttpAnswer>

/** Wrong credentials, or valid ones without the right to the call. */
export type Refused = 'credentials' | 'right'

export type HttpOptions = {
  /** The provider's name for people: the subject of every error sentence. */
  provider: string
  /** Without a trailing slash. */
  baseUrl: string
  headers?: Readonly<Record<string, string>>
  guard: Guard
  /** Recognizes a refusal of the account that does not come as 401 or 403. */
  refusesUs?(answer: HttpAnswer, call: HttpCall): Refused | undefined
  /** Whether throttling one call means that all calls are throttled. */
  hasOneBudget?: boolean
  /** For tests: how long an answer may take; 20 seconds. */
  deadlineMs?: number
}

const DEADLINE_MS = 20_000
const ANSWER_LIMIT_OCTETS = 8 << 20

export function httpClient(options: HttpOptions): HttpClient {
  return (call, signal) => options.guard.run(() => answerTo(options, call, signal), signal)
}

async function answerTo(
  options: HttpOptions,
  call: HttpCall,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { response, text } = await exchange(options, call, signal)
  const { status, headers } = response
  const json = parse(text)
  const answer = { status, headers, json: json === NOT_JSON ? undefined : json }
  const isOurBusiness = call.ownMeaning?.includes(status)
  const ofOurs = json === NOT_JSON ? undefined : options.refusesUs?.(answer, call)
  if (ofOurs) throw refused(options.provider, ofOurs)
  if (!isOurBusiness) throwIfMeantForAll(options, status, headers)
  if (json === NOT_JSON) throw notUnderstood(options, status, 'something that is not JSON')
  // A provider's refusal has a body; one without it comes from a proxy or a wrong address.
  const isMute = status >= 400 && json === undefined && !isOurBusiness
  if (isMute) throw notUnderstood(options, status, 'nothing')
  return answer
}

function notUnderstood({ provider }: HttpOptions, status: number, what: string): DriverError {
  const said = status < 300 ? 'answered' : `answered ${status}`
  return new DriverError('unavailable', `${provider} ${said} with ${what}.`)
}

async function exchange(
  { provider, baseUrl, headers, deadlineMs = DEADLINE_MS }: HttpOptions,
  call: HttpCall,
  signal: AbortSignal,
) {
  const deadline = AbortSignal.timeout(deadlineMs)
  try {
    const response = await fetch(`${baseUrl}${call.path}`, {
      method: call.method,
      headers: { accept: 'application/json', ...contentType(call), ...headers, ...call.headers },
      body: bodyOf(call),
      redirect: 'manual',
      signal: AbortSignal.any([signal, deadline]),
    })
    return { response, text: await boundedText(response) }
  } catch (error) {
    signal.throwIfAborted()
    const what = deadline.aborted ? 'did not answer in time' : 'could not be reached'
    throw new DriverError('unavailable', `${provider} ${what}.`, { cause: bareCause(error) })
  }
}

/** Only the system's code: an error before sending may quote an invalid header, such as a key. */
function bareCause(error: unknown): Error {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return new Error(/^[A-Z_]+$/.test(code) ? code : 'unknown')
}

function throwIfMeantForAll(options: HttpOptions, status: number, headers: Headers): void {
  const { provider } = options
  if (status === 401) throw refused(provider, 'credentials')
  if (status === 403) throw refused(provider, 'right')
  if (status === 429) throw throttled(options, headers)
  if (status >= 500 || (status >= 300 && status < 400)) {
    throw new DriverError('unavailable', `${provider} is out of order: it answered ${status}.`)
  }
}

const refused = (provider: string, what: Refused): DriverError =>
  what === 'credentials'
    ? new DriverError('unauthorized', `${provider} refuses our credentials.`)
    : new DriverError('forbidden', `${provider} denies us the right to this.`)

/** Without Retry-After the engine backs off itself. */
function throttled({ provider, guard, hasOneBudget }: HttpOptions, headers: Headers): DriverError {
  const retryAfterMs = retryAfterOf(headers)
  const sentence = `${provider} has had enough requests for now.`
  if (hasOneBudget) guard.rest(retryAfterMs, sentence)
  return new DriverError('throttled', sentence, retryAfterMs === undefined ? {} : { retryAfterMs })
}

// RFC 9110 section 10.2.3: seconds, or a date.
function retryAfterOf(headers: Headers): number | undefined {
  const written = headers.get('retry-after') ?? ''
  if (/^\d{1,9}$/.test(written)) return Number(written) * 1000
  if (!/^[A-Z][a-z]{2}, /.test(written)) return undefined
  // By the server's clock, which may differ from ours.
  const ms = Date.parse(written) - Date.parse(headers.get('date') ?? '')
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

function contentType({ json, form }: HttpCall): Record<string, string> {
  if (json !== undefined) return { 'content-type': 'application/json' }
  return form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
}

function bodyOf({ json, form }: HttpCall): string | null {
  if (json !== undefined) return JSON.stringify(json)
  return form ? new URLSearchParams(form).toString() : null
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let octets = 0
  for await (const chunk of response.body ?? []) {
    octets += chunk.length
    if (octets > ANSWER_LIMIT_OCTETS) throw new Error('the answer is too long')
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

const NOT_JSON = Symbol('not JSON')

function parse(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return NOT_JSON
  }
}
