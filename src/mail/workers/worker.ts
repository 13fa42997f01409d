/** The thread that inspects, prepares and signs messages. It may be ended at any time, and keeps no state. */
import { parentPort } from 'node:worker_threads'
import { bufferOf } from '../content.ts'
import type { DnsAnswer } from '../incoming/ask-dns.ts'
import { inspect } from '../incoming/inspect.ts'
import { read, readAttachment } from '../incoming/read.ts'
import { composeDraft } from '../outgoing/draft.ts'
import { sign } from '../outgoing/sign.ts'
import { aggregateReportIn } from '../reports/aggregate.ts'
import { prepare } from '../submission/prepare.ts'
import type { FromWorker, Job, Result, ToWorker } from './protocol.ts'

const port = parentPort!
const post = (message: FromWorker, moved: ArrayBuffer[] = []) => port.postMessage(message, moved)

const questions = new Map<number, PromiseWithResolvers<DnsAnswer>>()
let asked = 0

port.on('message', (message: ToWorker) => {
  if (message.is === 'ping') post({ is: 'pong' })
  else if (message.is === 'job') void work(message.id, message.job)
  else {
    questions.get(message.question)?.resolve(message.answer)
    questions.delete(message.question)
  }
})

async function work(id: number, job: Job): Promise<void> {
  try {
    const result = await resultOf(id, job)
    post({ is: 'done', id, result })
  } catch (error) {
    post({ is: 'failed', id, message: error instanceof Error ? error.message : String(error) })
  }
}

async function resultOf(id: number, job: Job): Promise<Result> {
  if (job.is === 'sign')
    return { is: 'signed', raw: await sign(bufferOf(job.raw), job.domain, job.key) }
  if (job.is === 'read') return { is: 'read', reading: await read(job.content) }
  if (job.is === 'aggregate') return { is: job.is, report: await aggregateReportIn(job.content) }
  if (job.is === 'prepare') return prepare(job.submission)
  if (job.is === 'compose') return composeDraft(job.draft, job.domain)
  if (job.is === 'read attachment')
    return { is: job.is, attachment: await readAttachment(job.content, job.index) }
  const askAs = (host: number) => (name: string, type: string) => ask(id, host, name, type)
  return inspect(job, askAs, (description) => post({ is: 'described', id, description }))
}

async function ask(id: number, host: number, name: string, type: string): Promise<unknown> {
  const question = asked++
  const answered = Promise.withResolvers<DnsAnswer>()
  questions.set(question, answered)
  post({ is: 'question', question, id, host, name, type })
  const answer = await answered.promise
  if ('records' in answer) return answer.records
  throw Object.assign(new Error(answer.message), { code: answer.code })
}

post({ is: 'ready' })
