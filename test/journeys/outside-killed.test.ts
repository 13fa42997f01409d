/**
 * The product is killed before and after calls that outside services get in the life of a domain: each
 * time before the call takes effect, and once more when it has and nobody noted the answer. Here at
 * two calls to each service; `npm run torture` kills it at each of them.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { makeApiKey } from '#names/api-key.ts'
import { openDatabase } from '#store/database.ts'
import type { Witness } from '../../emulators/faults.ts'
import type { Client, Json } from '../client.ts'
import { testDatabase } from '../database.ts'
import { temporaryDirectory } from '../directories.ts'
import { NOTHING_LEFT, startOutside } from '../outside.ts'
import { withoutPdns } from '../pdns.ts'
import { startProduct } from '../product.ts'

const IS_TORTURE = process.env.MAILSTEAD_TORTURE === 'true'
const LIMIT_MS = IS_TORTURE ? 900_000 : 170_000
/** Where no torture is wanted, before and after which new kind of call to a service it is killed. */
const NTH: Record<string, { before: number; after: number }> = {
  cf: { before: 2, after: 3 },
  pdns: { before: 2, after: 3 },
  mailcow: { before: 2, after: 3 },
  azure: { before: 7, after: 5 },
}

const HOSTS = withoutPdns ? ['cf'] : ['cf', 'pdns']
const nameAt = (host: string): string => `mortal-${host}.test`

if (withoutPdns) test('the life with PowerDNS', { skip: withoutPdns })

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
  const start = async () => {
    const started = await startProduct({ dataDir: directory.path, settings })
    outside.bind(started)
    return started
  }
  let product = await start()
  let isDead = false
  let revival: Promise<void> | undefined
  const moments = new Map<string, Set<string>>()
  const kills: string[] = []

  const witness =
    (service: string): Witness =>
    async ({ method, target }, when) => {
      const at = `${when} ${service}`
      const known = moments.get(at) ?? new Set()
      moments.set(at, known)
      const call = `${method} ${kindOf(target)}`
      if (known.has(call) || isDead) return
      known.add(call)
      if (!IS_TORTURE && known.size !== NTH[service]![when]) return
      isDead = true
      kills.push(`${at} ${call}`)
      await product.kill()
      // Thrown, so that a call that was not to take effect does not.
      throw new Error('the product was killed')
    }
  outside.cloudflare.faults.witness = witness('cf')
  outside.azure.faults.witness = witness('azure')
  outside.mailcow.faults.witness = witness('mailcow')
  if (outside.pdns) outside.pdns.door.faults.witness = witness('pdns')

  async function revive(): Promise<void> {
    // The dead process's lease would run out after some seconds, which the engine's own tests wait for.
    await sql`update domains set lease_until = '-infinity', next_at = now()`.execute(db)
    product = await start()
    isDead = false
    revival = undefined
  }

  /** Asks the product, started anew when it was killed, until it says what is wanted. */
  async function until<T>(ask: (client: Client) => Promise<T | undefined>): Promise<T> {
    for (;;) {
      if (isDead) {
        revival ??= revive()
        await revival
      }
      const found = await ask(product.client).catch((error: unknown) => {
        if (error instanceof assert.AssertionError) throw error
        return undefined
      })
      if (found !== undefined) return found
      await delay(30)
    }
  }

  async function live(host: string): Promise<void> {
    const name = nameAt(host)
    const providers = { dns: host, sender: 'azure-west', mailbox: 'mail-1' }
    const id = await until(async (client) => {
      // Told when it is there already, too: the answer to its making may have been lost.
      const { body } = await client.post('/domains', { domain: name, providers })
      return body.domain_id as string | undefined
    })
    const domain = (isWanted: (domain: Json) => boolean) =>
      until(async (client) => {
        const { body } = await client.get(`/domains/${id}`)
        assert.notEqual(body.status, 'FAILED', JSON.stringify(body.failure))
        return isWanted(body) ? body : undefined
      })
    const { nameservers } = await domain((seen) => seen.nameservers?.length === 2)
    await until(
      async (client) => (await client.delegate(name, nameservers)).status === 200 || undefined,
    )
    await domain(({ status }) => status === 'ACTIVE')
    const inbox = { domain_id: id, email_prefix: 'kim', display_name: 'Kim' }
    await until(async (client) => {
      const { status } = await client.post('/sender-accounts/coldsend-native', inbox)
      return status === 201 || status === 409 || undefined
    })
    await domain(({ current_inboxes }) => current_inboxes === 1)
    await until(async (client) => (await client.undelegate(name)).status === 200 || undefined)
    await until(async (client) => {
      await client.delete(`/domains/${id}`)
      const { body } = await client.get(`/domains/${id}/removal`)
      return body.state === 'done' || undefined
    })
  }

  await Promise.all(HOSTS.map(live))
  await product.stop()
  assert.deepEqual(await outside.left(), NOTHING_LEFT)
  const killedAt = new Set(kills.map((kill) => kill.split(' ', 2).join(' ')))
  const services = ['azure', 'mailcow', ...HOSTS]
  for (const at of services.flatMap((each) => [`before ${each}`, `after ${each}`])) {
    assert.ok(killedAt.has(at), `killed ${at}: ${kills.join('; ')}`)
  }
  const least = (IS_TORTURE ? 9 : 2) * services.length
  assert.ok(kills.length >= least, `killed ${kills.length} times`)
})

/** What is the same in the call for every domain: the last word of its path. */
function kindOf(target: string): string {
  const words = target.split('?')[0]!.split('/')
  const isOfNoDomain = (word: string) => !word.includes('mortal-') && !/^[0-9a-f]{32}$/.test(word)
  return words.filter(isOfNoDomain).at(-1)!
}
