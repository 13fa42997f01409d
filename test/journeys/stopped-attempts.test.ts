/** A stop of all sending while attempts are under way: nothing leaves that has not begun to leave. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { SMTPServer } from 'smtp-server'
import { compose } from '#mail/outgoing/compose.ts'
import { MailWorkers } from '#mail/workers/mail-workers.ts'
import { openOutgoing } from '#runtime/roles/mail-queue.ts'
import { acceptMessage } from '#store/accept-messages.ts'
import { startSending, stopSending } from '#store/sending-stops.ts'
import { until } from '../client.ts'
import { NO_LIMITS, newDomain } from '../domains-in-store.ts'
import { testStore } from '../store.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
await using opened = new AsyncDisposableStack()
const closing = opened.move()
after(() => closing.disposeAsync())

/** A host that answers RCPT only when it is let. */
const held: (() => void)[] = []
const arrived: string[] = []
const server = new SMTPServer({
  disabledCommands: ['AUTH', 'STARTTLS'],
  onRcptTo: (_address, _session, done) => void held.push(() => done()),
  onData(stream, { envelope }, done) {
    stream.resume().on('end', () => {
      arrived.push(envelope.rcptTo[0]!.address)
      done()
    })
  },
})
server.on('error', () => {})
server.listen(0, '127.0.0.1')
await once(server.server, 'listening')
closing.defer(() => new Promise((resolve) => server.close(() => resolve(undefined))))

const { port } = server.server.address() as { port: number }
const smarthost = { host: '127.0.0.1', port, secure: false, credentials: undefined }
const world = { name: 'live', platform: { mailHost: 'mx.ours.test' }, mayConnect: () => true }
const runtime = {
  store,
  opened: closing,
  onError: (error: unknown) => console.error(error),
  logger: { error: (...said: unknown[]) => console.error(...said) },
  config: { smtpSourceAddresses: [], smarthost },
}
const workers = closing.use(new MailWorkers())
openOutgoing({ runtime, workers, worlds: new Map([['live', world]]), accounts: {} } as never)
const claim = await newDomain(store, 'stopped.test')

const messagesTo = (domain: string) =>
  store.db
    .selectFrom('outgoing_messages')
    .select(['state', 'data_at', 'last_reply'])
    .where('recipient_domain', '=', domain)
    .orderBy('id')
    .execute()

for (const origin of ['reply', 'probe', 'campaign'] as const)
  test(`an attempt at a ${origin} that has come as far as RCPT ends there, and is made again after the stop`, async () => {
    const domain = `${origin}.test`
    const author = { localpart: 'kim', displayName: 'Kim' }
    const recipient = `ann@${domain}`
    const mail = await compose(
      { origin, author, recipient, subject: 'Hello', text: 'Hello' },
      claim.name,
    )
    await acceptMessage(store, claim, mail, {
      world: 'live',
      account: 'embedded',
      limits: NO_LIMITS,
    })
    await until(
      async () => held.length,
      (waiting) => waiting === 1,
    )
    await stopSending(store, 'a test')
    held.splice(0)[0]!()
    await delay(1500)
    assert.equal(held.length, 0, 'no other attempt is made')
    assert.ok(!arrived.includes(recipient))
    assert.deepEqual(await messagesTo(domain), [{ state: 'queued', data_at: null, last_reply: '' }])

    await startSending(store)
    await until(
      async () => held.length,
      (waiting) => waiting === 1,
      2000,
    )
    held.splice(0)[0]!()
    await until(
      () => messagesTo(domain),
      ([message]) => message!.state === 'sent',
    )
    assert.deepEqual(
      arrived.filter((address) => address === recipient),
      [recipient],
    )
  })
