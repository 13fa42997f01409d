/** The operator stops all sending: nothing leaves, nothing is lost, and all of it leaves when the stop ends. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import type { SenderDriver } from '#drivers/sender/contract.ts'
import { compose } from '#mail/outgoing/compose.ts'
import { recordedSender } from '#runtime/recorded-sender.ts'
import { SendingSwitch } from '#runtime/sending-switch.ts'
import { acceptMessage } from '#store/accept-messages.ts'
import { type Json, until } from '../client.ts'
import { dataDirectory } from '../directories.ts'
import { NO_LIMITS } from '../domains-in-store.ts'
import { testHouse } from '../house.ts'

const run = promisify(execFile)
const directory = await dataDirectory()
after(() => directory[Symbol.asyncDispose]())
const house = await testHouse({ MAILSTEAD_DATA_DIR: directory.path })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const { db } = store

async function cli(...args: string[]): Promise<string> {
  const env = { ...process.env, MAILSTEAD_DATA_DIR: directory.path }
  return (await run(process.execPath, ['src/cli/main.ts', 'sending', ...args], { env })).stdout
}

let inbox: Json
let claim: { claimId: string; name: string; nameservers: readonly string[] }
before(async () => {
  const { domain_id } = await client.addActive('acme.test')
  const wish = { domain_id, email_prefix: 'kim', display_name: 'Kim', daily_limit: 1000 }
  inbox = (await client.post('/sender-accounts/coldsend-native', wish)).body
  const { rows } = await sql<{ id: string }>`
    select id from claims where domain_id = ${domain_id}`.execute(db)
  claim = { claimId: rows[0]!.id, name: 'acme.test', nameservers: [] }
})

const testEmail = (recipient_email: string) =>
  client.post(`/sender-accounts/${inbox.inbox_id}/test-email`, { recipient_email })
const arrivedAt = async (address: string): Promise<Json[]> =>
  (await client.sandbox('GET', `/mail?to=${address}`)).body.messages
const messageTo = async (recipient: string): Promise<Json> =>
  (await client.get(`/messages?recipient=${recipient}`)).body.messages[0]

const plain = (recipient: string, origin: 'reply' | 'probe' = 'reply') =>
  compose(
    {
      origin,
      author: { localpart: 'kim', displayName: 'Kim' },
      recipient,
      subject: 'Hello',
      text: 'Hello',
    },
    claim.name,
  )
const EMBEDDED = { world: 'sandbox', account: 'embedded', limits: NO_LIMITS } as const

test('the command line stops, shows and starts it, and callers of the API read why', async () => {
  assert.equal(await cli('status'), 'Sending is on.\n')
  assert.match(await cli('stop', 'a', 'stolen key'), /^Stopped since 20\d\d-\S+Z: a stolen key\n$/)
  const { status, body, headers } = await testEmail('refused@inbox.test')
  assert.deepEqual([status, body.error], [503, 'all_sending_stopped'])
  assert.equal(body.reason, 'a stolen key')
  assert.ok(Date.now() - Date.parse(body.stopped_at) < 60_000)
  assert.equal(headers.get('retry-after'), '300')
  const since = await cli('status')
  const again = await cli('stop', 'two stolen keys')
  assert.equal(again.replace('two stolen keys', 'a stolen key'), since, 'the time stays')
  assert.equal(await cli('start'), 'Sending is on.\n')
  assert.equal(await cli('start'), 'Sending is on.\n', 'it can be repeated')
  assert.equal(await messageTo('refused@inbox.test'), undefined, 'what was refused is not sent')
  assert.equal((await testEmail('taken@inbox.test')).status, 200)
  await until(
    () => arrivedAt('taken@inbox.test'),
    (mails) => mails.length === 1,
  )
})

test('a stop without a reason, or with one that no header may hold, is refused', async () => {
  await assert.rejects(cli('stop'), { code: 1, stderr: /Say why/ })
  await assert.rejects(cli('stop', 'a\nb'), { code: 1, stderr: /refused it/ })
  await assert.rejects(cli('stop', 'x'.repeat(501)), { code: 1 })
  await assert.rejects(cli('pause'), { code: 2 })
  assert.equal(await cli('status'), 'Sending is on.\n')
})

test('what is queued waits without an attempt, and leaves at once afterwards', async () => {
  await testEmail('waits@defers.test')
  const { id } = await until(
    () => messageTo('waits@defers.test'),
    (message) => message?.state === 'deferred',
  )
  await cli('stop', 'a test')
  await sql`update outgoing_messages set recipient = 'waits@inbox.test', next_at = now(),
      created_at = now() - interval '97 hours' where id = ${id}`.execute(db)
  store.doorbell.ring('outgoing-due')
  await delay(1500)
  const { attempts, state } = (await client.get(`/messages/${id}`)).body
  assert.deepEqual([attempts.length, state], [1, 'deferred'])
  await cli('start')
  await until(
    () => client.get(`/messages/${id}`),
    ({ body }) => body.state === 'sent',
    5000,
  )
})

test('a stop in the midst of many acts within a second, and each arrives once in the end', async () => {
  const count = async () =>
    Number(
      (
        await sql<{ n: string }>`select count(*) as n from outgoing_messages
          where recipient like 'many-%' and state = 'sent'`.execute(db)
      ).rows[0]!.n,
    )
  const mails = await Promise.all(
    Array.from({ length: 400 }, (_, n) => plain(`many-${n}@inbox.test`)),
  )
  await Promise.all(mails.map((mail) => acceptMessage(store, claim, mail, EMBEDDED)))
  await until(count, (sent) => sent > 20)
  await cli('stop', 'a test')
  await delay(1000)
  const sent = await count()
  assert.ok(sent < 400, `${sent} were sent before the stop`)
  await delay(1500)
  assert.equal(await count(), sent)
  await cli('start')
  await until(count, (all) => all === 400)
  const { rows } = await sql<{ n: string }>`
    select count(*) as n from attempts a join outgoing_messages m on m.id = a.outgoing_message_id
     where m.recipient like 'many-%'`.execute(db)
  assert.equal(Number(rows[0]!.n), 400, 'one attempt for each')
})

test('a probe waits too: a domain becomes active after the stop', async () => {
  await cli('stop', 'a test')
  const { body } = await client.post('/domains', { domain: 'later.test' })
  await client.delegate('later.test', body.nameservers)
  const probes = () =>
    sql<Json>`select m.state, m.epoch from outgoing_messages m join claims c on c.id = m.claim_id
      where c.name = 'later.test' and m.origin = 'probe'`.execute(db)
  await until(probes, ({ rows }) => rows.length === 1)
  await delay(1200)
  assert.deepEqual((await probes()).rows, [{ state: 'queued', epoch: '0' }])
  assert.notEqual((await client.get(`/domains/${body.domain_id}`)).body.status, 'ACTIVE')
  await cli('start')
  await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
})

test('an outside service gets nothing: a message is refused, and a probe kept for later', async () => {
  const given: string[] = []
  const outside = {
    send: async (_claim, { recipient }) => void given.push(recipient),
  } as Partial<SenderDriver> as SenderDriver
  const sender = recordedSender(outside, store, { ...EMBEDDED, account: 'outside' })
  const { signal } = new AbortController()
  await cli('stop', 'a test')
  const refused = sender.send(claim, await plain('out@inbox.test'), signal)
  await assert.rejects(refused, { name: 'NotAccepted' })
  const probe = await plain('out-probe@inbox.test', 'probe')
  await sender.send(claim, probe, signal)
  const { rows } = await sql<Json>`select state, next_at <= now() as due from outgoing_messages
    where id = ${probe.id}`.execute(db)
  assert.deepEqual(rows, [{ state: 'queued', due: true }])
  await cli('start')
  await sender.send(claim, await plain('out@inbox.test'), signal)
  assert.deepEqual(given, ['out@inbox.test'])
})

test('a process whose doorbell is mute learns of a stop within a second', async () => {
  const mute = { ...store, doorbell: { ...store.doorbell, on: () => ({ [Symbol.dispose]() {} }) } }
  using sending = new SendingSwitch(mute)
  await sending.check()
  await sql`insert into sending_stops (reason) values ('a test')`.execute(db)
  await until(
    () =>
      sending.check().then(
        () => false,
        ({ name }) => name === 'SendingStopped',
      ),
    (stopped) => stopped,
    1000,
  )
  await sql`delete from sending_stops`.execute(db)
  await until(
    () =>
      sending.check().then(
        () => true,
        () => false,
      ),
    (isOn) => isOn,
    1000,
  )
})
