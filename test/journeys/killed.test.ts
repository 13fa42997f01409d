import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeApiKey } from '#names/api-key.ts'
import { openDatabase } from '#store/database.ts'
import { conditionOf } from '../client.ts'
import { testDatabase } from '../database.ts'
import { temporaryDirectory } from '../directories.ts'
import { startProduct } from '../product.ts'

const STAGES = [
  'zone_ready',
  'delegated',
  'sender_registered',
  'mail_domain_ready',
  'records_published',
  'sender_verified',
  'mail_proven',
]
const nameOf = (stage: string) => `${stage.replaceAll('_', '-')}.test`

/** How many of each thing stand at our providers for a name. */
async function thingsOf(db: ReturnType<typeof openDatabase>, name: string) {
  const count = async (table: 'zones' | 'sender_domains' | 'mail_domains') =>
    (await db.selectFrom(table).select('claim_id').where('name', '=', name).execute()).length
  return [await count('zones'), await count('sender_domains'), await count('mail_domains')]
}

test('killed in the middle of each stage, every domain still becomes ACTIVE, with one of everything', async () => {
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const settings = {
    DATABASE_URL: database.url,
    MAILSTEAD_WAIT_MS: '0',
    MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox'),
  }
  await using first = await startProduct({ dataDir: directory.path, settings })
  const { client } = first

  // Each domain hangs in a stage of its own, so that one kill hits all seven.
  const ids = new Map<string, string>()
  for (const stage of STAGES) {
    const name = nameOf(stage)
    if (stage === 'zone_ready') continue
    const { body } = await client.post('/domains', { domain: name })
    const known = await client.untilDomain(body.domain_id, ({ status }) => status === 'DNS_PENDING')
    ids.set(stage, body.domain_id)
    await client.misbehave(name, stage, 'slow', 3)
    await client.delegate(name, known.nameservers)
  }
  await client.misbehave(nameOf('zone_ready'), 'zone_ready', 'slow', 3)
  const { body: latest } = await client.post('/domains', { domain: nameOf('zone_ready') })
  ids.set('zone_ready', latest.domain_id)
  await Promise.all(
    [...ids]
      .filter(([stage]) => stage !== 'zone_ready')
      .map(([, id]) => client.post(`/domains/${id}/activate`)),
  )
  const inStage = async (stage: string) => {
    const seen = await client.untilDomain(
      ids.get(stage)!,
      (domain) => conditionOf(domain, stage).status === 'waiting',
      10_000,
    )
    return conditionOf(seen, stage).status
  }
  await Promise.all(STAGES.map(inStage))
  await first.kill()

  const db = openDatabase(database.connection, { onError: () => undefined })
  await db.updateTable('sandbox_outcomes').set({ times_left: 0 }).execute()
  await using second = await startProduct({ dataDir: directory.path, settings })
  for (const [stage, id] of ids) {
    if (stage === 'zone_ready') {
      const known = await second.client.untilDomain(
        id,
        ({ nameservers }) => nameservers.length === 2,
      )
      await second.client.delegate(nameOf(stage), known.nameservers)
    }
  }
  for (const [stage, id] of ids) {
    await second.client.untilDomain(id, ({ status }) => status === 'ACTIVE')
    assert.deepEqual(await thingsOf(db, nameOf(stage)), [1, 1, 1], `killed in ${stage}`)
  }
  await db.destroy()
})

test('killed again and again at any moment of the journey, a domain becomes ACTIVE', async () => {
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const settings = { DATABASE_URL: database.url, MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox') }
  let product = await startProduct({ dataDir: directory.path, settings })
  const added = await product.client.addDelegated('restless.test')
  for (const afterMs of [2050, 100, 400]) {
    await new Promise((resolve) => setTimeout(resolve, afterMs))
    await product.kill()
    product = await startProduct({ dataDir: directory.path, settings })
  }
  await using last = product
  await last.client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
  const db = openDatabase(database.connection, { onError: () => undefined })
  assert.deepEqual(await thingsOf(db, 'restless.test'), [1, 1, 1])
  await db.destroy()
})
