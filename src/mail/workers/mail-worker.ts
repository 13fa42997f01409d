/**
 * One worker thread and its jobs. A worker that is silent for too long, or ends, is replaced, and its jobs are
 * returned as lost: `MailWorker` does not know which job was the cause.
 */
import { Worker } from 'node:worker_threads'
import type { DnsAnswer } from '../incoming/ask-dns.ts'
import type { Description } from '../incoming/describe.ts'
import type { FromWorker, Job, Result, ToWorker } from './protocol.ts'

/**
 * A job threw, or its worker ended. `description`: the description of the message, if it has one.
 */
export class JobLost extends Error {
  override readonly name = 'JobLost'
  readonly description: Description | undefined
  /** No worker could be started: the job is not the cause. */
  readonly isOurs: boolean

  constructor(message: string, description?: Description, isOurs = false) {
    super(message)
    this.description = description
    this.isOurs = isOurs
  }
}

export type MailWorkerOptions = {
  /** The most jobs in the worker at once. */
  atOnce: number
  /** How long the worker may be silent, and how long a job may take. */
  silenceMs: number
  jobMs: number
}

/** Answers a job's DNS query for one of its hosts. */
export type AnswerDns = (host: number, name: string, type: string) => Promise<DnsAnswer>

type Task = {
  job: Job
  answer: AnswerDns
  ended: PromiseWithResolvers<Result>
  description?: Description
  timer?: NodeJS.Timeout
}

const PING_MS = 250
/** A new worker needs time to load the libraries on a busy machine. */
const START_MS = 30_000
/** A runaway parser reaches this limit before the process runs out. */
const RESOURCES = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 32 }
const CLOSED = 'The product stops.'
const ENTRY = new URL('./worker.ts', import.meta.url)

export class MailWorker implements AsyncDisposable {
  readonly #options: MailWorkerOptions
  readonly #waiting: Task[] = []
  readonly #underWay = new Map<number, Task>()
  #worker: Worker | undefined
  #isReady = false
  #heardAt = 0
  #pingedAt = 0
  #pinging: NodeJS.Timeout | undefined
  #last = 0
  #isClosed = false

  constructor(options: MailWorkerOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#waiting.length + this.#underWay.size
  }

  /** Rejects with `JobLost`; always, once disposed of. */
  run(job: Job, answer: AnswerDns): Promise<Result> {
    if (this.#isClosed) return Promise.reject(new JobLost(CLOSED))
    const ended = Promise.withResolvers<Result>()
    this.#waiting.push({ job, answer, ended })
    this.#fill()
    return ended.promise
  }

  /** Starts the worker before there is a job. */
  warm(): void {
    this.#worker ??= this.#start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#pinging)
    const worker = this.#worker
    this.#worker = undefined
    this.#lose()
    this.#loseWaiting(CLOSED)
    await worker?.terminate()
  }

  #fill(): void {
    this.warm()
    if (!this.#isReady) return
    while (this.#underWay.size < this.#options.atOnce) {
      const task = this.#waiting.shift()
      if (!task) return
      const id = this.#last++
      task.timer = setTimeout(() => this.#replace(), this.#options.jobMs)
      this.#underWay.set(id, task)
      this.#post({ is: 'job', id, job: task.job })
    }
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message)
  }

  #start(): Worker {
    const worker = new Worker(ENTRY, { resourceLimits: RESOURCES })
    worker.on('message', (message: FromWorker) => {
      if (this.#worker === worker) this.#hear(message)
    })
    // The reason does not matter here: its jobs are lost.
    worker.on('error', () => {})
    worker.on('exit', () => {
      if (this.#worker === worker) this.#replace()
    })
    this.#heardAt = performance.now() + START_MS
    clearInterval(this.#pinging)
    this.#pinging = setInterval(() => this.#ping(), PING_MS)
    this.#pinging.unref()
    return worker
  }

  /** Ignores time in which our own event loop was blocked. */
  #ping(): void {
    const now = performance.now()
    if (now - this.#pingedAt > 2 * PING_MS) this.#heardAt = Math.max(this.#heardAt, now)
    this.#pingedAt = now
    if (this.#underWay.size === 0 && this.#isReady) return
    const silentMs = now - this.#heardAt
    if (silentMs > this.#options.silenceMs) this.#replace()
    else if (this.#isReady) this.#post({ is: 'ping' })
  }

  #replace(): void {
    const worker = this.#worker
    // If it cannot start, it is not started again for the same jobs.
    if (!this.#isReady) this.#loseWaiting('A mail worker could not start.')
    this.#worker = undefined
    this.#isReady = false
    clearInterval(this.#pinging)
    void worker?.terminate()
    this.#lose()
    if (this.#waiting.length > 0) this.#fill()
  }

  #lose(): void {
    for (const { ended, description, timer } of this.#underWay.values()) {
      clearTimeout(timer)
      ended.reject(new JobLost('A mail worker ended before its work was done.', description))
    }
    this.#underWay.clear()
  }

  #loseWaiting(why: string): void {
    for (const { ended } of this.#waiting.splice(0)) ended.reject(new JobLost(why, undefined, true))
  }

  #hear(message: FromWorker): void {
    this.#heardAt = performance.now()
    if (message.is === 'pong') return
    if (message.is === 'ready') {
      this.#isReady = true
      this.#fill()
      return
    }
    const task = this.#underWay.get(message.id)
    if (!task) return
    if (message.is === 'described') task.description = message.description
    else if (message.is === 'question') this.#answer(task, message)
    else this.#end(message.id, task, message)
  }

  #answer(task: Task, { question, host, name, type }: FromWorker & { is: 'question' }): void {
    const failed = (error: unknown) => ({ code: 'ESERVFAIL', message: String(error) })
    void task
      .answer(host, name, type)
      .catch(failed)
      .then((answer) => this.#post({ is: 'answer', question, answer }))
  }

  #end(id: number, task: Task, message: FromWorker & { is: 'done' | 'failed' }): void {
    clearTimeout(task.timer)
    this.#underWay.delete(id)
    if (message.is === 'done') task.ended.resolve(message.result)
    else task.ended.reject(new JobLost(message.message, task.description))
    this.#fill()
  }
}
