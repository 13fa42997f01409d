/**
 * The speed of searching, with a million messages of one workspace in the database, whose words are spread as in
 * text: the n-th most frequent word is in a share of 1/n of them. Requests come at a steady rate, whether or not
 * earlier ones were answered. The first five seconds of each kind do not count.
 */
import { Client as Postgres } from 'pg'
import { makeApiKey } from '#names/api-key.ts'
import { FIRST_WORKSPACE } from '#store/api-keys.ts'
import { type Client, until } from '../test/client.ts'
import { testDatabase } from '../test/database.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { startProduct } from '../test/product.ts'
import { figure } from './figures.ts'
import { steady } from './steady.ts'
import { printTable, type Row } from './table.ts'

const MESSAGES = Number(process.env.BENCH_MESSAGES ?? 1_000_000)
const BATCH = 50_000
const WORDS_EACH = 40
const VOCABULARY = 100_000
const PER_SECOND = 20

export async function search(signal: AbortSignal): Promise<void> {
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const settings = {
    DATABASE_URL: database.url,
    MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox'),
    MAILSTEAD_RATE_LIMIT_PER_MINUTE: '0',
    MAILSTEAD_RATE_LIMIT_PER_HOUR: '0',
    MAILSTEAD_LOG_LEVEL: 'warn',
  }
  await using product = await startProduct({ dataDir: directory.path, settings })
  // Without the product's limits on queries.
  const db = new Postgres(database.connection)
  await db.connect()
  try {
    figure(`search: ${MESSAGES} messages, ${PER_SECOND} requests a second; milliseconds`)
    await fill(db, signal)
    await until(
      () => product.client.get('/replies?limit=1'),
      ({ status }) => status === 200,
    )
    const rows: Row[] = []
    for (const [what, text] of [
      ['rare word', () => `w${anyOf(10_000, VOCABULARY)}`],
      ['usual word', () => `w${anyOf(500, 10_000)}`],
      ['word in every hundredth', () => `w${anyOf(90, 110)}`],
      ['word in nearly all', () => 'w1'],
      ['two usual words', () => `w${anyOf(100, 1000)} w${anyOf(100, 1000)}`],
      ['two frequent words', () => `w${anyOf(2, 10)} w${anyOf(2, 10)}`],
      ['no such word', () => 'nothing'],
    ] as const) {
      const ask = (client: Client) => client.get(`/replies?limit=20&search=${text()}`)
      rows.push({ what, values: await steady(() => ask(product.client), PER_SECOND, signal) })
    }
    printTable(rows)
  } finally {
    await db.end()
  }
}

const anyOf = (low: number, high: number): number => low + Math.floor(Math.random() * (high - low))

/** Three messages to a conversation, the latest first. */
async function fill(db: Postgres, signal: AbortSignal): Promise<void> {
  await db.query(`
    insert into domains (id, workspace_id, world, name, status, zone_driver, sender_driver, mailbox_driver)
    values (gen_random_uuid(), '${FIRST_WORKSPACE}', 'sandbox', 'search.test', 'ACTIVE', 'embedded', 'embedded', 'embedded')`)
  await db.query(
    `update domains set next_at = now() + interval '30 days' where name = 'search.test'`,
  )
  await db.query(`
    insert into inboxes (id, workspace_id, world, domain_id, localpart, address, display_name)
    select gen_random_uuid(), workspace_id, world, id, 'kim', 'kim@search.test', 'Kim' from domains where name = 'search.test'`)
  await db.query(
    `insert into message_contents (id, encoding, octets, content) values (gen_random_uuid(), 'identity', 1, 'x')`,
  )
  for (let first = 0; first < MESSAGES; first += BATCH) {
    signal.throwIfAborted()
    await db.query(`
      with new as (
        insert into threads (id, workspace_id, world, inbox_id, lead_email, subject, thread_key, last_message_preview, last_message_at)
        select gen_random_uuid(), i.workspace_id, i.world, i.id, 'ann@far.test', 'Thread ' || n, 'k' || n, 'Hello', now() - n * interval '30 s'
          from inboxes i, generate_series(${first}, ${first + BATCH - 1}, 3) n where i.address = 'kim@search.test' returning *)
      insert into messages (id, thread_id, localpart, envelope_sender, recipient, author, subject, preview, content_id, trace, authentication, received_at, words)
      select gen_random_uuid(), new.id, 'kim', 'ann@far.test', 'kim@search.test', 'ann@far.test', subject, 'Hello', c.id, '', '{}', last_message_at,
             array_to_tsvector(array(
               select distinct 'w' || floor(exp(random() * ln(${VOCABULARY}) + 0 * (ordinal + length(new.thread_key))))::int
                 from generate_series(1, ${WORDS_EACH}) ordinal) || ('@' || workspace_id || world))
        from new, generate_series(1, 3) copy, message_contents c`)
  }
  await db.query('vacuum analyze')
  await db.query('checkpoint')
}
