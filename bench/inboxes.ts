/**
 * How many inboxes a second are added in requests of 100 rows each, until every mailbox is made, with
 * the product as a user runs it.
 */
import { Client as Postgres } from 'pg'
import { makeApiKey } from '#names/api-key.ts'
import { until } from '../test/client.ts'
import { testDatabase } from '../test/database.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { startProduct } from '../test/product.ts'
import { figure, target } from './figures.ts'

const INBOXES = 10_000
const ROWS = 100
const AT_ONCE = 4
const TARGET_A_SECOND = 500

export async function inboxes(signal: AbortSignal): Promise<void> {
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const settings = {
    DATABASE_URL: database.url,
    MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox'),
    MAILSTEAD_LOG_LEVEL: 'warn',
  }
  await using product = await startProduct({ dataDir: directory.path, settings })
  const { client } = product
  const { domain_id } = await client.addActive('bench.test')
  const db = new Postgres(database.connection)
  await db.connect()
  try {
    await db.query('update domains set max_inboxes = $1', [INBOXES])
    figure(`inboxes: ${INBOXES}, ${ROWS} in a request, ${AT_ONCE} requests at once`)
    const began = performance.now()
    let next = 0
    const addSome = async () => {
      while (next < INBOXES) {
        signal.throwIfAborted()
        const first = next
        next += ROWS
        const inboxes = Array.from({ length: ROWS }, (_, index) => ({
          email_prefix: `kim${first + index}`,
          display_name: `Kim ${first + index}`,
        }))
        const { body } = await client.post('/sender-accounts/coldsend-native/bulk', {
          domain_id,
          inboxes,
        })
        if (body.success_count !== ROWS) throw new Error(JSON.stringify(body).slice(0, 300))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, addSome))
    const accepted = rate(performance.now() - began)
    const open = async () =>
      (await db.query(`select count(*)::int as n from inboxes where status = 'PENDING'`)).rows[0].n
    await until(open, (count) => count === 0, 120_000)
    const made = rate(performance.now() - began)
    figure(`  ${accepted.toFixed(0)} accepted a second, ${made.toFixed(0)} made a second`)
    target(`at least ${TARGET_A_SECOND} a second`, made >= TARGET_A_SECOND)
  } finally {
    await db.end()
  }
}

const rate = (ms: number): number => (1000 * INBOXES) / ms
