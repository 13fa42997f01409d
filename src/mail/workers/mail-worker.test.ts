import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { JobLost, MailWorker } from './mail-worker.ts'
import type { InspectJob } from './protocol.ts'

const inspection = (text: string): InspectJob => ({
  is: 'inspect',
  raw: Buffer.from(text, 'latin1'),
  session: { remoteAddress: '192.0.2.7', helo: 'x.example', envelopeSender: 'ann@lead.example' },
  hosts: ['mx.product.example'],
})
const ORDINARY = 'From: ann@lead.example\r\nSubject: Hello\r\n\r\nbody\r\n'
const noAnswer = async () => ({ code: 'ENOTFOUND', message: 'none' })
const LIMITS = { atOnce: 8, silenceMs: 1500, jobMs: 10_000 }

test('a job that takes too long is lost with what it had found out, and the next one is done', async () => {
  await using worker = new MailWorker({ ...LIMITS, jobMs: 2000 })
  await worker.run(inspection(ORDINARY), noAnswer)
  // The DNS never answers: the message is described, and not judged.
  const never = () => new Promise<never>(() => {})
  await assert.rejects(worker.run(inspection(ORDINARY), never), (error) => {
    assert.ok(error instanceof JobLost)
    assert.equal(error.description?.subject, 'Hello')
    return true
  })
  const result = await worker.run(inspection(ORDINARY), noAnswer)
  assert.equal(result.is, 'inspected')
})

test('a worker that is silent is replaced, and its company is lost with it', async () => {
  await using worker = new MailWorker({ ...LIMITS, silenceMs: 400 })
  await worker.run(inspection(ORDINARY), noAnswer)
  // A body of 100 MB keeps the worker's event loop busy for long.
  const heavy = inspection(
    `From: a@b.example\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=b.example; s=s; h=from; bh=AAAA; b=AAAA\r\n\r\n${'a \r\n'.repeat(2e7)}`,
  )
  const results = await Promise.allSettled([
    worker.run(heavy, noAnswer),
    worker.run(heavy, noAnswer),
  ])
  for (const result of results)
    assert.ok(result.status === 'rejected' && result.reason instanceof JobLost)
  assert.equal((await worker.run(inspection(ORDINARY), noAnswer)).is, 'inspected')
})

test('what waits when the lane is closed is lost, and nothing keeps the process', async () => {
  const worker = new MailWorker(LIMITS)
  const lost = assert.rejects(worker.run(inspection(ORDINARY), noAnswer), JobLost)
  await delay(1)
  await worker[Symbol.asyncDispose]()
  await lost
})

test('who tries again a job that was lost to the closing starts no worker that nobody would end', async () => {
  const worker = new MailWorker(LIMITS)
  const again = worker
    .run(inspection(ORDINARY), noAnswer)
    .catch(() => worker.run(inspection(ORDINARY), noAnswer))
  const lost = assert.rejects(again, JobLost)
  await worker[Symbol.asyncDispose]()
  await lost
})
