/**
 * The one HTTP client of all drivers: deadlines, bounds, and the mapping of what every provider does
 * alike to `DriverError`. What a 4xx means is each driver's own business. Nothing is tried again here,
 * and no answer, address or header of a provider gets into a sentence: they may hold secrets.
 */
import { DriverError } from './errors.ts'
import type { Guard } from './guard.ts'

export type HttpCall = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query; joined to the base URL. */
  path: string
  json?: unknown
  form?: Readonly<Record<string, string>>
  headers?: Readonly<Record<string, string>>
  /** Statuses that mean something else here than elsewhere, given back as they are. */
  ownMeaning?: readonly number[]
}

/** `json` is undefined for an empty body, and for a refusal that is not JSON. */
export type HttpAnswer = { status: number; headers: Headers; json: unknown }

export type HttpClient = (call: HttpCall, signal: AbortSignal) => Promise<HttpAnswer>

/** The credentials are wrong, or they are right and give no right to what was asked. */
export type Refused = 'credentials' | 'right'

export type HttpOptions = {
  /** The provider as a person would name it: the subject of every error sentence. */
  provider: string
  /** Without a slash at the end. */
  baseUrl: string
  headers?: Readonly<Record<string, string>>
  guard: Guard
  /** What of ours the provider refuses altogether, where it does not say so with 401 or 403. */
  refusesUs?(answer: HttpAnswer): Refused | undefined
  /** Whether who is throttled in one call is refused them all. */
  hasOneBudget?: boolean
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
  const ofOurs = json === NOT_JSON ? undefined : options.refusesUs?.(answer)
  if (ofOurs) throw refused(options.provider, ofOurs)
  if (!isOurBusiness) throwIfMeantForAll(options, status, headers)
  if (status < 300 && json === NOT_JSON) {
    throw new DriverError(
      'unavailable',
      `${options.provider} answered with something that is not JSON.`,
    )
  }
  return answer
}

async function exchange(
  { provider, baseUrl, headers }: HttpOptions,
  call: HttpCall,
  signal: AbortSignal,
) {
  const deadline = AbortSignal.timeout(DEADLINE_MS)
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
    throw new DriverError('unavailable', `${provider} ${what}.`, { cause: error })
  }
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

/** Without Retry-After the engine backs off by itself. */
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
  // By the clock that wrote both, which need not be ours.
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
