/** Secrets of outside services are nowhere but in their file: not in a log, an event, an answer, or a table. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import type { Json } from '../client.ts'
import { testHouse } from '../house.ts'
import { startOutside } from '../outside.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse(outside.settings, { refusedMs: 100, failingMs: 50 })
after(() => house[Symbol.asyncDispose]())
outside.bind(house)

const SECRET_FIELDS = ['api_key', 'api_token', 'client_secret', 'event_secret']

/** What must be found nowhere: what the accounts hold, and what the services were told or told us. */
async function secrets(): Promise<string[]> {
  const accounts: Record<string, Record<string, string>> = JSON.parse(
    await readFile(outside.settings.MAILSTEAD_ACCOUNTS!, 'utf8'),
  )
  const configured = Object.values(accounts).flatMap((account) =>
    SECRET_FIELDS.flatMap((field) => account[field] ?? []),
  )
  const passwords = outside.mailcow.calls
    .filter(({ target }) => target.endsWith('/add/mailbox'))
    .map(({ body }) => JSON.parse(body).password as string)
  const given = outside.azure.secrets()
  assert.ok(given.length > 2, 'Azure gave tokens and access keys')
  return [...configured, ...passwords, ...given, 'accesskey=', 'Bearer ', 'HMAC-SHA256 Signed']
}

/** Every row of every table, as text. */
async function everyTable(): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public'`.execute(house.store.db)
  const texts: string[] = []
  for (const { name } of rows) {
    const table = await sql<{
      row: string
    }>`select row_to_json(t)::text as row from ${sql.table(name)} t`.execute(house.store.db)
    texts.push(...table.rows.map(({ row }) => row))
  }
  return texts.join('\n')
}

test('a life full of faults tells no secret to anybody', async () => {
  const { client } = house
  const providers = { dns: 'cf', sender: 'azure-west', mailbox: 'mail-1' }
  for (const kind of ['unauthorized', 'html', 'half', 'lost_after'] as const) {
    outside.cloudflare.faults.add({ kind })
  }
  for (const kind of ['unauthorized', 'half'] as const) {
    outside.azure.faults.add({ kind })
    outside.mailcow.faults.add({ kind, after: 2 })
  }
  const answers: unknown[] = []
  const { body } = await client.post('/domains', { domain: 'canary.test', providers })
  const id = body.domain_id
  /** Asks again and again, as an impatient user would, rather than wait for the back-off. */
  const impatiently = (isWanted: (domain: Json) => boolean) =>
    client.untilDomain(id, (domain) => {
      answers.push(domain)
      void client.post(`/domains/${id}/activate`)
      return isWanted(domain)
    })
  const known = await impatiently(({ nameservers }) => nameservers.length === 2)
  await client.delegate('canary.test', known.nameservers)
  await impatiently(({ status }) => status === 'ACTIVE')
  const inbox = { domain_id: id, email_prefix: 'kim', display_name: 'Kim' }
  answers.push((await client.post('/sender-accounts/coldsend-native', inbox)).body)
  for (const path of [`/domains/${id}/progress`, '/domains', '/sender-accounts']) {
    answers.push((await client.get(path)).body)
  }
  await client.undelegate('canary.test')
  answers.push((await client.delete(`/domains/${id}`)).body)
  answers.push(await client.untilRemoval(id, 'done'))

  const hidden = await secrets()
  assert.ok(hidden.length > 8 && hidden.every((secret) => secret.length > 6))
  const told = {
    log: house.logLines.join('\n'),
    answers: JSON.stringify(answers),
    tables: await everyTable(),
  }
  assert.match(told.log, /The account \S+ rests/, 'the operator was told')
  for (const [where, text] of Object.entries(told)) {
    assert.ok(text.length > 1000, `${where} holds something`)
    for (const secret of hidden) assert.ok(!text.includes(secret), `${where} holds ${secret}`)
  }
})
