/**
 * The product is killed before and after calls that outside services get in the life of a domain: each
 * time before the call takes effect, and once more when it has and nobody noted the answer. Here at
 * some of the calls; `npm run torture` kills it at each of them.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { makeApiKey } from '#names/api-key.ts'
import { openDatabase } from '#store/database.ts'
import type { Witness } from '../../emulators/faults.ts'
import type { Json } from '../client.ts'
import { testDatabase } from '../database.ts'
import { temporaryDirectory } from '../directories.ts'
import { NOTHING_LEFT, startOutside } from '../outside.ts'
import { type Product, startProduct } from '../product.ts'

const NAME = 'mortal.test'
const PROVIDERS = { dns: 'cf', sender: 'azure-west', mailbox: 'mail-1' }
const IS_TORTURE = process.env.MAILSTEAD_TORTURE === 'true'
/** Of so many moments to be killed at, one is taken. */
const SPARSE = IS_TORTURE ? 1 : 17
const LIMIT_MS = IS_TORTURE ? 900_000 : 170_000

test('killed at the calls to outside services, a domain becomes ACTIVE, and is removed without a trace', {
  timeout: LIMIT_MS,
}, async () => {
  await using outside = await startOutside()
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const db = openDatabase(database.connection, { onError: () => undefined })
  after(() => db.destroy())
  const settings = {
    ...outside.settings,
    DATABASE_URL: database.url,
    MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox'),
    MAILSTEAD_WAIT_MS: '0',
  }
  let product = await startProduct({ dataDir: directory.path, settings })
  outside.bind(product)
  let isDead = false
  const moments = new Set<string>()
  const kills: string[] = []

  const witness =
    (service: string): Witness =>
    async ({ method, target }, when) => {
      const moment = `${when} ${service} ${method} ${kindOf(target)}`
      if (moments.has(moment) || isDead) return
      moments.add(moment)
      if (moments.size % SPARSE !== 0) return
      isDead = true
      kills.push(moment)
      await product.kill()
      // Thrown, so that a call that was not to take effect does not.
      throw new Error('the product was killed')
    }
  outside.cloudflare.faults.witness = witness('cloudflare')
  outside.azure.faults.witness = witness('azure')
  outside.mailcow.faults.witness = witness('mailcow')

  /** Asks the product, started anew when it was killed, until it says what is wanted. */
  async function until<T>(ask: (product: Product) => Promise<T | undefined>): Promise<T> {
    for (;;) {
      if (isDead) {
        // The dead process's lease would run out after some seconds, which the engine's own tests wait for.
        await sql`update domains set lease_until = '-infinity', next_at = now()`.execute(db)
        product = await startProduct({ dataDir: directory.path, settings })
        outside.bind(product)
        isDead = false
      }
      const found = await ask(product).catch(() => undefined)
      if (found !== undefined) return found
      await delay(30)
    }
  }
  const id = await until(async ({ client }) => {
    const { body } = await client.post('/domains', { domain: NAME, providers: PROVIDERS })
    return body.domain_id as string | undefined
  })
  const domain = (isWanted: (domain: Json) => boolean) =>
    until(async ({ client }) => {
      const { body } = await client.get(`/domains/${id}`)
      if (body.status === 'FAILED') await client.post(`/domains/${id}/activate`)
      return isWanted(body) ? body : undefined
    })
  const { nameservers } = await domain((seen) => seen.nameservers.length === 2)
  await until(
    async ({ client }) => (await client.delegate(NAME, nameservers)).status === 200 || undefined,
  )
  await domain(({ status }) => status === 'ACTIVE')
  const inbox = { domain_id: id, email_prefix: 'kim', display_name: 'Kim' }
  await until(async ({ client }) => {
    const { status } = await client.post('/sender-accounts/coldsend-native', inbox)
    return status === 201 || status === 409 || undefined
  })
  await until(async ({ client }) => {
    const { body } = await client.get('/sender-accounts')
    return (
      body.sender_accounts?.[0]?.overall_status === 'ACTIVE' ||
      body.inboxes?.[0]?.overall_status === 'ACTIVE' ||
      undefined
    )
  })
  await until(async ({ client }) => (await client.undelegate(NAME)).status === 200 || undefined)
  await until(async ({ client }) => {
    await client.delete(`/domains/${id}`)
    const { body } = await client.get(`/domains/${id}/removal`)
    return body.state === 'done' || undefined
  })
  await product.stop()
  assert.deepEqual(await outside.left(), NOTHING_LEFT)
  assert.ok(kills.length >= 36 / SPARSE, `killed ${kills.length} times: ${kills.join('; ')}`)
})

/** What is the same in the call for every domain: the last word of its path. */
function kindOf(target: string): string {
  const words = target.split('?')[0]!.split('/')
  return words.filter((word) => !word.includes(NAME) && !/^[0-9a-f]{32}$/.test(word)).at(-1)!
}
