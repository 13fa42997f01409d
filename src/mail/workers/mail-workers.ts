/**
 * Judges, describes and signs messages outside the event loop. Small messages share a worker, because
 * they wait for the DNS; a large or suspect one runs alone, so that it delays only others of its kind.
 */

import type { Resolver } from '#resolver/resolver.ts'
import { bufferOf, type StoredContent } from '../content.ts'
import { askDns } from '../incoming/ask-dns.ts'
import type { Description } from '../incoming/describe.ts'
import { withoutForgedResults } from '../incoming/forged-results.ts'
import { readHeader, writeHeader } from '../incoming/header.ts'
import type { Reading } from '../incoming/read.ts'
import { HEADER_TOO_BIG, type Refused } from '../incoming/refused.ts'
import { notJudged } from '../incoming/results.ts'
import type { Session } from '../incoming/session.ts'
import { TooBusy } from '../incoming/too-busy.ts'
import type { DkimKey } from '../outgoing/key.ts'
import type { Prepared, Submission } from '../submission/prepare.ts'
import { JobLost, MailWorker } from './mail-worker.ts'
import type { Inspected, InspectJob, Result } from './protocol.ts'

/** One of our mail hosts that judges, with the resolver of its world. */
export type Judge = { mailHost: string; resolver: Resolver }

export type Inspection = Refused | (Inspected & { isJudged: boolean })

const SMALL_OCTETS = 256 * 1024
const WAITING_LIMIT = 400
const DNS_LIMIT_MS = 15_000
const SMALL = { atOnce: 64, silenceMs: 3000, jobMs: 20_000 }
const LARGE = { atOnce: 1, silenceMs: 5000, jobMs: 20_000 }

export class MailWorkers implements AsyncDisposable {
  readonly #small = new MailWorker(SMALL)
  readonly #large = new MailWorker(LARGE)

  constructor() {
    this.#small.warm()
  }

  /**
   * Judges `raw`, over shared memory, once for each judge. A message that takes too long is kept unjudged.
   * Throws `TooBusy` where too many wait.
   */
  async inspect(
    raw: Uint8Array,
    session: Session,
    judges: readonly Judge[],
    signal: AbortSignal,
  ): Promise<Inspection> {
    if (this.#small.size + this.#large.size >= WAITING_LIMIT)
      throw new TooBusy('Too much mail waits')
    const job: InspectJob = {
      is: 'inspect',
      raw,
      session,
      hosts: judges.map((one) => one.mailHost),
    }
    const isSmall = raw.byteLength <= SMALL_OCTETS
    const first = await this.#run(isSmall ? this.#small : this.#large, job, judges, signal)
    if (!(first instanceof JobLost)) return inspectionOf(first)
    signal.throwIfAborted()
    if (first.isOurs) throw new TooBusy(first.message)
    // Another job may have been to blame: the message gets a second try alone.
    const second = isSmall ? await this.#run(this.#large, job, judges, signal) : first
    if (!(second instanceof JobLost)) return inspectionOf(second)
    if (second.isOurs) throw new TooBusy(second.message)
    return unjudged(second.description, job)
  }

  /** The message with its signature on top. */
  async sign(raw: Uint8Array, domain: string, key: DkimKey): Promise<Buffer> {
    const none = async () => ({ code: 'ESERVFAIL', message: 'Signing asks nothing' })
    const signed = () => this.#small.run({ is: 'sign', raw, domain, key }, none)
    // Another job in the worker may have caused the loss.
    const result = await signed().catch((error: unknown) => {
      if (error instanceof JobLost) return signed()
      throw error
    })
    if (result.is !== 'signed') throw new Error('A mail worker did other work than asked')
    return bufferOf(result.raw)
  }

  /** What a stored message says; undefined where it takes too long to read. */
  async read(content: Omit<StoredContent, 'octets'>): Promise<Reading | undefined> {
    const none = async () => ({ code: 'ESERVFAIL', message: 'Reading asks nothing' })
    try {
      const result = await this.#large.run({ is: 'read', content }, none)
      if (result.is !== 'read') throw new Error('A mail worker did other work than asked')
      return result.reading
    } catch (error) {
      if (error instanceof JobLost) return undefined
      throw error
    }
  }

  /** Makes a submitted message ready to leave. Throws `TooBusy` where that takes too long. */
  async prepare(submission: Submission): Promise<Refused | Prepared> {
    const none = async () => ({ code: 'ESERVFAIL', message: 'Preparing asks nothing' })
    const worker = submission.raw.byteLength <= SMALL_OCTETS ? this.#small : this.#large
    const result = await worker.run({ is: 'prepare', submission }, none).catch((error: unknown) => {
      throw error instanceof JobLost ? new TooBusy(error.message) : error
    })
    if (result.is === 'prepared' || result.is === 'refused') return result
    throw new Error('A mail worker did other work than asked')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#small[Symbol.asyncDispose](), this.#large[Symbol.asyncDispose]()])
  }

  #run(
    worker: MailWorker,
    job: InspectJob,
    judges: readonly Judge[],
    signal: AbortSignal,
  ): Promise<Result | JobLost> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(DNS_LIMIT_MS)])
    const answer = (host: number, name: string, type: string) =>
      askDns(judges[host]!.resolver, name, type, limit)
    return worker.run(job, answer).catch((error: unknown) => {
      if (error instanceof JobLost) return error
      throw error
    })
  }
}

function inspectionOf(result: Result): Inspection {
  if (result.is === 'refused') return result
  if (result.is !== 'inspected') throw new Error('A mail worker did other work than asked')
  return { ...result, isJudged: true }
}

const NOT_DESCRIBED = { author: '', subject: '', preview: '', root: '' }

/** The inspection of a message that took too long: the description, without authentication. */
function unjudged(
  description: Description = NOT_DESCRIBED,
  { raw, session, hosts }: InspectJob,
): Inspection {
  const octets = bufferOf(raw)
  const header = readHeader(octets)
  if (!header) return HEADER_TOO_BIG
  const head = writeHeader(withoutForgedResults(header.fields, hosts))
  const content = Buffer.concat([head, octets.subarray(header.bodyAt)])
  const message = { session, author: description.author }
  return {
    is: 'inspected',
    isJudged: false,
    description,
    authentications: hosts.map((host) => notJudged(message, host)),
    content: { encoding: 'identity', octets: raw.byteLength, content },
  }
}
