/** Mail under load while the product is killed again and again, against a ledger that it does not keep. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { makeApiKey } from '#names/api-key.ts'
import { openDatabase } from '#store/database.ts'
import { type Json, until } from '../client.ts'
import { testDatabase } from '../database.ts'
import { temporaryDirectory } from '../directories.ts'
import { type Product, startProduct } from '../product.ts'
import { sendMail } from '../smtp.ts'

const KILLS = 3
const LIVES_MS = 2500
const SENDERS = 6

/** What was answered with success, by its name; everything else may have been kept or not. */
type Ledger = { received: string[]; accepted: string[] }

/** Sends and has sent, as fast as it goes, until the product is gone. */
async function load(
  product: Product,
  inbox: Json,
  ledger: Ledger,
  stop: AbortSignal,
  life: number,
) {
  const sendIn = async (sender: number) => {
    for (let n = 0; !stop.aborted; n++) {
      const name = `in-${life}-${sender}-${n}`
      const raw = `From: ann@inbox.test\r\nSubject: ${name}\r\n\r\nHello\r\n`
      const code = await sendMail(product.smtp, [inbox.email_address], raw).catch(() => 0)
      if (code === 250) ledger.received.push(name)
    }
  }
  const sendOut = async (sender: number) => {
    for (let n = 0; !stop.aborted; n++) {
      const recipient_email = `out-${life}-${sender}-${n}@inbox.test`
      const path = `/sender-accounts/${inbox.inbox_id}/test-email`
      const answer = await product.client.post(path, { recipient_email }).catch(() => undefined)
      if (answer?.status === 200) ledger.accepted.push(recipient_email)
    }
  }
  const senders = Array.from({ length: SENDERS }, (_, sender) => sender)
  await Promise.all([...senders.map(sendIn), ...senders.map(sendOut)])
}

test('killed again and again, it loses nothing that it has acknowledged', async (t) => {
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const settings = {
    DATABASE_URL: database.url,
    MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox'),
    MAILSTEAD_RATE_LIMIT_PER_MINUTE: '0',
    MAILSTEAD_RATE_LIMIT_PER_HOUR: '0',
  }
  const start = () => startProduct({ dataDir: directory.path, settings })
  const db = openDatabase(database.connection, { onError: () => undefined })
  const ledger: Ledger = { received: [], accepted: [] }
  const inbox = await preparedInbox(await start(), db)
  for (let life = 0; life < KILLS; life++) {
    const product = await start()
    const stop = new AbortController()
    const loading = load(product, inbox, ledger, stop.signal, life)
    await delay(LIVES_MS)
    await product.kill()
    stop.abort()
    await loading
  }

  await using _last = await start()
  const arrived = await until(
    () => arrivedOf(db, ledger.accepted),
    (counts) => counts.size === ledger.accepted.length,
    60_000,
  ).catch(() => arrivedOf(db, ledger.accepted))
  assert.deepEqual(
    ledger.accepted.filter((recipient) => !arrived.has(recipient)),
    [],
    'what was accepted has been sent',
  )
  const kept = await db.selectFrom('messages').select('subject').execute()
  const subjects = new Set(kept.map(({ subject }) => subject))
  assert.deepEqual(
    ledger.received.filter((name) => !subjects.has(name)),
    [],
    'what was acknowledged is kept',
  )
  const doubled = [...arrived.values()].filter((count) => count > 1).length
  t.diagnostic(
    `${ledger.received.length} received, ${ledger.accepted.length} sent, ${doubled} twice`,
  )
  assert.ok(ledger.received.length > 0 && ledger.accepted.length > 0)
  await db.destroy()
})

async function preparedInbox(product: Product, db: ReturnType<typeof openDatabase>): Promise<Json> {
  const { client } = product
  const { domain_id } = await client.addActive('acme.test')
  const wanted = { domain_id, email_prefix: 'kim', display_name: 'Kim' }
  const { body } = await client.post('/sender-accounts/coldsend-native', wanted)
  await until(
    async () => (await client.get('/sender-accounts')).body.sender_accounts[0],
    ({ overall_status }) => overall_status === 'ACTIVE',
  )
  await db.updateTable('inboxes').set({ daily_limit: 1_000_000 }).execute()
  await product.stop()
  return body
}

/** How often each of these recipients has got its message. */
async function arrivedOf(
  db: ReturnType<typeof openDatabase>,
  recipients: readonly string[],
): Promise<Map<string, number>> {
  const rows = await db.selectFrom('sandbox_messages').select('recipient').execute()
  const counts = new Map<string, number>()
  for (const { recipient } of rows)
    if (recipients.includes(recipient)) counts.set(recipient, (counts.get(recipient) ?? 0) + 1)
  return counts
}
