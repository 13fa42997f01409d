/**
 * Judges, describes and signs messages outside the event loop. Small messages share a worker, because
 * they wait for the DNS; a large or suspect one runs alone, so that it delays only others of its kind.
 */

import type { Resolver } from '#resolver/resolver.ts'
import { bufferOf, type StoredContent } from '../content.ts'
import { askDns } from '../incoming/ask-dns.ts'
import type { OneAttachment } from '../incoming/attachments.ts'
import type { Description } from '../incoming/describe.ts'
import { withoutForgedResults } from '../incoming/forged-results.ts'
import { readHeader, writeHeader } from '../incoming/header.ts'
import type { Reading } from '../incoming/read.ts'
import { HEADER_TOO_BIG, type Refused } from '../incoming/refused.ts'
import { notJudged } from '../incoming/results.ts'
import type { Session } from '../incoming/session.ts'
import { TooBusy } from '../incoming/too-busy.ts'
import type { Composed, Draft, NotBase64 } from '../outgoing/draft.ts'
import type { DkimKey } from '../outgoing/key.ts'
import type { AggregateReport } from '../reports/aggregate.ts'
import type { Prepared, Submission } from '../submission/prepare.ts'
import { JobLost, MailWorker } from './mail-worker.ts'
import type { Inspected, InspectJob, Job, Result } from './protocol.ts'

/** One of our mail hosts that judges, with the resolver of its world. */
export type Judge = { mailHost: string; resolver: Resolver }

type Stored = Omit<StoredContent, 'octets'>

export type Inspection = Refused | (Inspected & { isJudged: boolean })

const SMALL_OCTETS = 256 * 1024
const WAITING_LIMIT = 400
/** Each holds a stored message in memory. */
const READERS_LIMIT = 20
const DNS_LIMIT_MS = 15_000
const SMALL = { atOnce: 64, silenceMs: 3000, jobMs: 20_000 }
const LARGE = { atOnce: 1, silenceMs: 5000, jobMs: 20_000 }

export class MailWorkers implements AsyncDisposable {
  readonly #small = new MailWorker(SMALL)
  readonly #large = new MailWorker(LARGE)
  /** Apart, so that readers do not delay the mail that comes in. */
  readonly #reading = new MailWorker(LARGE)

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
    const signed = () => this.#small.run({ is: 'sign', raw, domain, key }, NO_DNS)
    const first = await orLost(signed())
    // Another job in the worker may have caused the loss.
    return bufferOf(expected(first instanceof JobLost ? await signed() : first, 'signed').raw)
  }

  /** What a stored message says; undefined where it takes too long to read. */
  async read(content: Stored): Promise<Reading | undefined> {
    return (await this.#reads({ is: 'read', content }))?.reading
  }

  /** One attachment of a stored message; undefined where it takes too long to read. */
  async readAttachment(
    content: Stored,
    index: number,
  ): Promise<{ attachment: OneAttachment | undefined } | undefined> {
    return this.#reads({ is: 'read attachment', content, index })
  }

  /** The DMARC report in a message; undefined without one, or where it takes too long to read. */
  async readAggregate(content: Stored): Promise<AggregateReport | undefined> {
    const result = await orLost(this.#large.run({ is: 'aggregate', content }, NO_DNS))
    return result instanceof JobLost ? undefined : expected(result, 'aggregate').report
  }

  /** Composes what a customer wrote; undefined where that takes too long. */
  async compose(draft: Draft, domain: string): Promise<Composed | NotBase64 | undefined> {
    const result = await this.#forReaders({ is: 'compose', draft, domain })
    if (!result || result.is === 'not base64') return result
    const { mail, ...composed } = expected(result, 'composed')
    return { ...composed, mail: { ...mail, content: bufferOf(mail.content) } }
  }

  async #reads<Is extends 'read' | 'read attachment'>(
    job: Job & { is: Is },
  ): Promise<(Result & { is: Is }) | undefined> {
    const result = await this.#forReaders(job)
    return result && expected(result, job.is)
  }

  async #forReaders(job: Job): Promise<Result | undefined> {
    if (this.#reading.size >= READERS_LIMIT) return undefined
    const result = await orLost(this.#reading.run(job, NO_DNS))
    return result instanceof JobLost ? undefined : result
  }

  /** Makes a submitted message ready to leave. Throws `TooBusy` where that takes too long. */
  async prepare(submission: Submission): Promise<Refused | Prepared> {
    const worker = submission.raw.byteLength <= SMALL_OCTETS ? this.#small : this.#large
    const result = await orLost(worker.run({ is: 'prepare', submission }, NO_DNS))
    if (result instanceof JobLost) throw new TooBusy(result.message)
    return result.is === 'refused' ? result : expected(result, 'prepared')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [this.#small, this.#large, this.#reading]
    await Promise.all(all.map((each) => each[Symbol.asyncDispose]()))
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
    return orLost(worker.run(job, answer))
  }
}

const NO_DNS = async () => ({ code: 'ESERVFAIL', message: 'This work asks nothing' })

const orLost = (result: Promise<Result>): Promise<Result | JobLost> =>
  result.catch((error: unknown) => {
    if (error instanceof JobLost) return error
    throw error
  })

function expected<Is extends Result['is']>(result: Result, is: Is): Result & { is: Is } {
  if (result.is !== is) throw new Error('A mail worker did other work than asked')
  return result as Result & { is: Is }
}

function inspectionOf(result: Result): Inspection {
  return result.is === 'refused' ? result : { ...expected(result, 'inspected'), isJudged: true }
}

const NOT_DESCRIBED: Description = {
  author: '',
  subject: '',
  preview: '',
  root: '',
  kind: 'person',
  words: [],
}

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
