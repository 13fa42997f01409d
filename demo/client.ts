/** Uses the product as its users do: HTTP with an API key. */
import { setTimeout as delay } from 'node:timers/promises'
import { ZodError, type ZodType } from 'zod'
import type { Product } from './product.ts'
import * as shapes from './shapes.ts'
import { expect, Unexpected } from './unexpected.ts'

const REQUEST_LIMIT_MS = 15_000
const WAIT_LIMIT_MS = 20_000
const LOOK_EVERY_MS = 50

const PUBLIC = '/api/public/v1'
const SANDBOX = '/api/sandbox/v1'

export type OutsideMail = { from: string; to: string; subject: string; text: string }

export class Client {
  readonly #product: Pick<Product, 'api' | 'key'>
  readonly #signal: AbortSignal

  /** Aborting the signal ends all requests and waits. */
  constructor(product: Pick<Product, 'api' | 'key'>, signal: AbortSignal) {
    this.#product = product
    this.#signal = signal
  }

  addDomain = (domain: string) => this.#post(shapes.ADDED, `${PUBLIC}/domains`, { domain })
  domain = (id: string) => this.#get(shapes.DOMAIN, `${PUBLIC}/domains/${id}`)
  domains = () => this.#get(shapes.DOMAINS, `${PUBLIC}/domains`)
  removal = (id: string) => this.#get(shapes.REMOVAL, `${PUBLIC}/domains/${id}/removal`)
  deleteDomain = (id: string) => this.#want(shapes.ANYTHING, 'DELETE', `${PUBLIC}/domains/${id}`)
  domainStatusCode = async (id: string) =>
    (await this.#ask('GET', `${PUBLIC}/domains/${id}`)).status

  /** Acts as the registrar: the parent zone publishes these nameservers, or none. */
  delegate = (domain: string, nameservers: readonly string[]) =>
    this.#want(shapes.PUBLISHED, 'PUT', registrar(domain), { nameservers })
  undelegate = (domain: string) => this.#want(shapes.ANYTHING, 'DELETE', registrar(domain))

  addInbox = (domain_id: string, email_prefix: string, display_name: string) =>
    this.#post(shapes.INBOX, `${PUBLIC}/sender-accounts/coldsend-native`, {
      domain_id,
      email_prefix,
      display_name,
    })
  sendTestMail = (inboxId: string, recipient_email: string) =>
    this.#post(shapes.ANYTHING, `${PUBLIC}/sender-accounts/${inboxId}/test-email`, {
      recipient_email,
    })
  inboxes = () => this.#get(shapes.INBOXES, `${PUBLIC}/sender-accounts`)
  replies = () => this.#get(shapes.REPLIES, `${PUBLIC}/replies`)

  /** The sandbox's outside mailboxes. */
  mailOutside = (to: string) => this.#get(shapes.OUTSIDE_MAIL, `${SANDBOX}/mail?to=${to}`)
  sendFromOutside = (mail: OutsideMail) => this.#post(shapes.ANYTHING, `${SANDBOX}/mail`, mail)

  /** Polls for a limited time. `what` ends the sentence "waited in vain for". */
  async until<T>(
    what: string,
    look: () => Promise<T>,
    isWanted: (seen: T) => boolean,
    everyMs = LOOK_EVERY_MS,
  ): Promise<T> {
    const deadline = performance.now() + WAIT_LIMIT_MS
    for (;;) {
      const seen = await look()
      if (isWanted(seen)) return seen
      expect(
        performance.now() < deadline,
        `${WAIT_LIMIT_MS / 1000} s were waited in vain for ${what}.`,
      )
      await delay(everyMs, undefined, { signal: this.#signal }).catch(() =>
        this.#signal.throwIfAborted(),
      )
    }
  }

  #get = <T>(shape: ZodType<T>, path: string) => this.#want(shape, 'GET', path)
  #post = <T>(shape: ZodType<T>, path: string, body: object) =>
    this.#want(shape, 'POST', path, body)

  async #want<T>(shape: ZodType<T>, method: string, path: string, body?: object): Promise<T> {
    const { status, text } = await this.#ask(method, path, body)
    expect(status < 300, `${method} ${path} answered ${status}: ${text}`)
    try {
      return shape.parse(JSON.parse(text))
    } catch (error) {
      if (!(error instanceof ZodError || error instanceof SyntaxError)) throw error
      throw new Unexpected(`${method} ${path} answered something else than agreed: ${text}`)
    }
  }

  async #ask(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; text: string }> {
    const { api, key } = this.#product
    try {
      const response = await fetch(`${api}${path}`, {
        method,
        headers: { 'x-api-key': key, ...(body && { 'content-type': 'application/json' }) },
        body: body ? JSON.stringify(body) : null,
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(REQUEST_LIMIT_MS)]),
      })
      return { status: response.status, text: await response.text() }
    } catch (error) {
      this.#signal.throwIfAborted()
      throw new Unexpected(`${method} ${path} was not answered (${error}).`)
    }
  }
}

const registrar = (domain: string) => `${SANDBOX}/registrar/${domain}/nameservers`
