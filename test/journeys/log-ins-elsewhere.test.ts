/** Log-ins at the servers of other providers, with rules as of the live world and as of the sandbox. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { tryInThread } from '#mail/elsewhere/attempts.ts'
import { tryLogIns } from '#mail/elsewhere/log-in.ts'
import type { Place, Protocol } from '#mail/elsewhere/servers.ts'
import { isLoopback } from '#names/ip.ts'
import {
  BAD_HOST,
  badServer,
  certificate,
  dovecot,
  HOST,
  hasDovecot,
  LOG_IN,
  smtpProvider,
} from '../elsewhere.ts'
import { missing } from '../needs.ts'

const skip = missing('Dovecot', hasDovecot)
const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())
const implicit = opened.use(await smtpProvider(1465))
const startTls = opened.use(await smtpProvider(1587))
if (!skip) opened.use(await dovecot(await certificate()))

const place = (port: number, tls: Place['tls'], isVerified: boolean): Place => ({
  address: HOST,
  port,
  tls,
  isVerified,
  servername: 'elsewhere.example',
})
const outcome = (attempt: Promise<void>) =>
  attempt.then(
    () => 'works',
    ({ failure }) => failure,
  )
const limit = () => AbortSignal.timeout(10_000)
const by = (protocol: Protocol) => (place: Place) =>
  outcome(tryInThread({ protocol, place, logIn: LOG_IN, mailHost: 'mail.test' }, limit()))
const [bySmtp, byImap] = [by('smtp'), by('imap')]

for (const [tls, port, provider] of [
  ['implicit', 1465, implicit],
  ['starttls', 1587, startTls],
] as const)
  test(`no password goes to an SMTP server without a valid certificate: ${tls}`, async () => {
    assert.equal(await bySmtp(place(port, tls, false)), 'works')
    assert.deepEqual(provider.attempts.splice(0), ['with TLS'])
    assert.equal(await bySmtp(place(port, tls, true)), 'refused')
    assert.deepEqual(provider.attempts, [])
  })

for (const [tls, port] of [
  ['implicit', 1993],
  ['starttls', 1143],
] as const)
  test(`nor to such an IMAP server: ${tls}`, { skip }, async () => {
    assert.equal(await byImap(place(port, tls, false)), 'works')
    assert.equal(await byImap(place(port, tls, true)), 'refused')
  })

/** As of the sandbox, with these addresses for every name. */
const rules = (...addresses: string[]) => ({
  resolver: {
    resolve: async (_name: string, type: string) => ({
      rcode: 'NOERROR' as const,
      records: type === 'A' ? addresses.map((data) => ({ data }) as never) : [],
    }),
  },
  mayConnect: isLoopback,
  isStrict: false,
  mailHost: 'mail.test',
})
const server = (port: number, password = LOG_IN.password) => ({
  host: 'elsewhere.example',
  port,
  encrypts: true,
  logIn: { ...LOG_IN, password },
})

test('where nobody listens at one address, the next one is tried', { skip }, async () => {
  const account = { smtp: server(1587), imap: server(1993) }
  const results = await tryLogIns(account, rules(BAD_HOST, '10.0.0.1', HOST), limit())
  assert.deepEqual(
    results.map(({ protocol, failure }) => [protocol, failure]),
    [
      ['smtp', undefined],
      ['imap', undefined],
    ],
  )
})

test('a refused password is tried at one address only, and not by IMAP', async () => {
  startTls.attempts.length = 0
  const account = { smtp: server(1587, 'wrong'), imap: server(1993) }
  const results = await tryLogIns(account, rules(HOST, HOST, HOST), limit())
  assert.deepEqual(results, [{ protocol: 'smtp', failure: 'log_in_rejected' }])
  assert.equal(startTls.attempts.length, 1)
})

test('a server that never stops talking holds nobody else up', async () => {
  // In a thread, as this one is measured.
  const flooding = new Worker(FLOOD, { eval: true, workerData: { host: BAD_HOST } })
  await once(flooding, 'message')
  const delay = monitorEventLoopDelay({ resolution: 5 })
  const at = (port: number): Place => ({ ...place(port, 'none', false), address: BAD_HOST })
  delay.enable()
  await Promise.all([bySmtp(at(2525)), byImap(at(1143))])
  delay.disable()
  await flooding.terminate()
  assert.ok(delay.percentile(99) / 1e6 < 50, `${delay.percentile(99) / 1e6} ms`)
})

const FLOOD = `
  const { createServer } = require('node:net')
  const { parentPort, workerData } = require('node:worker_threads')
  const chunk = '220-more\\r\\n* OK more\\r\\n'.repeat(200)
  let left = 2
  for (const port of [2525, 1143])
    createServer((socket) => {
      socket.on('error', () => {})
      const more = () => {
        if (socket.destroyed) return
        if (socket.write(chunk)) setImmediate(more)
        else socket.once('drain', more)
      }
      more()
    }).listen(port, workerData.host, () => --left || parentPort.postMessage('listening'))`

test('an end of the caller ends it at once', async () => {
  await using _silent = await badServer(2525, () => {})
  const begun = performance.now()
  const account = { smtp: server(2525), imap: server(1993) }
  const ended = tryLogIns(account, rules(BAD_HOST), AbortSignal.timeout(200))
  await assert.rejects(ended, { name: 'TimeoutError' })
  assert.ok(performance.now() - begun < 2000)
})
