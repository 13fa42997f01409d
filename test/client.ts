/** Speaks to the product as its users do: HTTP with an API key. */
import { setTimeout as delay } from 'node:timers/promises'
import { asDescribed } from './api/as-described.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests read what they assert on
export type Json = any

export type Answer = { status: number; headers: Headers; body: Json }

const REQUEST_LIMIT_MS = 40_000
const WAIT_LIMIT_MS = 60_000

export class Client {
  /** Whether each answer is checked against its description, which takes time. */
  static checksAnswers = true
  readonly base: string
  readonly key: string | undefined

  constructor(base: string, key?: string) {
    this.base = base
    this.key = key
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.base}${path}`, {
      method,
      headers: {
        ...(this.key ? { 'x-api-key': this.key } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    })
    const text = await response.text()
    const answer = {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    }
    if (Client.checksAnswers) await asDescribed(this.base, method, path, answer)
    return answer
  }

  get = (path: string) => this.request('GET', `/api/public/v1${path}`)
  post = (path: string, body?: unknown) => this.request('POST', `/api/public/v1${path}`, body)
  delete = (path: string) => this.request('DELETE', `/api/public/v1${path}`)
  sandbox = (method: string, path: string, body?: unknown) =>
    this.request(method, `/api/sandbox/v1${path}`, body)

  /** Plays the registrar: the parent publishes these nameservers. */
  delegate(domain: string, nameservers: readonly string[], more: object = {}): Promise<Answer> {
    return this.sandbox('PUT', `/registrar/${domain}/nameservers`, { nameservers, ...more })
  }

  undelegate(domain: string): Promise<Answer> {
    return this.sandbox('DELETE', `/registrar/${domain}/nameservers`)
  }

  misbehave(domain: string, stage: string, outcome: string, times = 1): Promise<Answer> {
    return this.sandbox('PUT', `/outcomes/${domain}`, { stage, outcome, times })
  }

  /** Adds a domain, has the parent publish its nameservers, and asks for a look, as who is in a hurry does. */
  async addDelegated(domain: string): Promise<Json> {
    const { body } = await this.post('/domains', { domain })
    // On a busy machine the answer may come before the first look.
    const { nameservers } = await this.untilDomain(
      body.domain_id,
      (found) => found.nameservers.length > 0,
    )
    await this.delegate(domain, nameservers)
    await this.post(`/domains/${body.domain_id}/activate`)
    return { ...body, nameservers }
  }

  /** Adds a domain, plays the registrar, and waits until it is active. */
  async addActive(domain: string): Promise<Json> {
    const added = await this.addDelegated(domain)
    return this.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
  }

  /** Looks at a domain until it is as wanted; fails with what was seen last. */
  untilDomain(
    id: string,
    isWanted: (domain: Json) => boolean,
    limitMs = WAIT_LIMIT_MS,
  ): Promise<Json> {
    return until(async () => (await this.get(`/domains/${id}`)).body, isWanted, limitMs)
  }

  untilRemoval(id: string, state: string, limitMs = WAIT_LIMIT_MS): Promise<Json> {
    return until(
      async () => (await this.get(`/domains/${id}/removal`)).body,
      (removal) => removal?.state === state,
      limitMs,
    )
  }
}

/** How long to wait between looks: what takes long need not be looked at often. */
const PAUSES_MS = { first: 20, most: 200, growth: 1.2 }

/** Looks again and again, for a limited time. */
export async function until<T>(
  look: () => Promise<T>,
  isWanted: (seen: T) => boolean,
  limitMs = WAIT_LIMIT_MS,
): Promise<T> {
  const deadline = Date.now() + limitMs
  for (let pauseMs = PAUSES_MS.first; ; pauseMs *= PAUSES_MS.growth) {
    const seen = await look()
    if (isWanted(seen)) return seen
    if (Date.now() > deadline)
      throw new Error(`waited ${limitMs} ms in vain; seen last: ${JSON.stringify(seen)}`)
    await delay(Math.min(pauseMs, PAUSES_MS.most))
  }
}

/** The verdict of one condition of a domain as the API shows it. */
export const conditionOf = (domain: Json, type: string): Json =>
  domain.conditions.find((condition: Json) => condition.type === type)
