/** Two accounts at Azure and two at Mailcow: each domain is made, kept and removed at its own. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { makeApiKey } from '#names/api-key.ts'
import { openDatabase } from '#store/database.ts'
import { conditionOf, type Json } from '../client.ts'
import { testDatabase } from '../database.ts'
import { temporaryDirectory } from '../directories.ts'
import { NOTHING_LEFT_AT_TWO, startOutside } from '../outside.ts'
import { type Product, startProduct } from '../product.ts'

const WEST = { dns: 'embedded', sender: 'azure-west', mailbox: 'mail-1' }
const EAST = { dns: 'embedded', sender: 'azure-east', mailbox: 'mail-2' }
const MIXED = { dns: 'embedded', sender: 'azure-east', mailbox: 'mail-1' }
const BOTH = {
  MAILSTEAD_SENDER_DRIVER: 'azure-west,azure-east',
  MAILSTEAD_MAILBOX_DRIVER: 'mail-1,mail-2',
}
const EAST_ONLY = { MAILSTEAD_SENDER_DRIVER: 'azure-east', MAILSTEAD_MAILBOX_DRIVER: 'mail-2' }

const outside = await startOutside({ isDouble: true })
after(() => outside[Symbol.asyncDispose]())
const database = await testDatabase()
after(() => database[Symbol.asyncDispose]())
const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
const db = openDatabase(database.connection, { onError: () => undefined })
after(() => db.destroy())
const own = { DATABASE_URL: database.url, MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox') }

async function start(lists: Record<string, string>): Promise<Product> {
  const settings = { ...outside.settings, ...lists, ...own }
  const product = await startProduct({ dataDir: directory.path, settings })
  outside.bind(product)
  return product
}

let product = await start(BOTH)
after(() => product[Symbol.asyncDispose]())
const ids = new Map<string, string>()

async function add(name: string, providers?: object): Promise<void> {
  const { status, body } = await product.client.post('/domains', { domain: name, providers })
  assert.equal(status, 201, JSON.stringify(body))
  ids.set(name, body.domain_id)
  await product.client.delegate(name, body.nameservers)
}

const until = (name: string, isWanted: (domain: Json) => boolean): Promise<Json> =>
  product.client.untilDomain(ids.get(name)!, isWanted)

const active = (name: string): Promise<Json> => until(name, ({ status }) => status === 'ACTIVE')

async function take(name: string): Promise<void> {
  const inbox = { domain_id: ids.get(name), email_prefix: 'kim', display_name: 'Kim' }
  const made = await product.client.post('/sender-accounts/coldsend-native', inbox)
  assert.deepEqual([made.status, made.body.overall_status], [201, 'ACTIVE'])
}

async function remove(...names: string[]): Promise<void> {
  for (const name of names) {
    await product.client.undelegate(name)
    await product.client.delete(`/domains/${ids.get(name)}`)
  }
  for (const name of names) await product.client.untilRemoval(ids.get(name)!, 'done')
}

const placesOf = async (names: Iterable<string>): Promise<Json[]> =>
  (await Promise.all([...names].map(active))).map(({ providers }) => providers)

const held = () => ({
  'azure-west': outside.azure.holdings().domains.toSorted(),
  'azure-east': outside.second!.azure.holdings().domains.toSorted(),
  'mail-1': outside.mailcow.holdings().domains,
  'mail-2': outside.second!.mailcow.holdings().domains,
})

test('domains are placed at the accounts in turn, and made where they are placed', async () => {
  for (const name of ['a1.test', 'a2.test', 'a3.test', 'a4.test']) await add(name)
  assert.deepEqual(await placesOf(ids.keys()), [WEST, EAST, WEST, EAST])
  for (const name of ['a1.test', 'a2.test']) await take(name)
  assert.deepEqual(held(), {
    'azure-west': ['a1.test', 'a3.test'],
    'azure-east': ['a2.test', 'a4.test'],
    'mail-1': ['a1.test', 'a3.test'],
    'mail-2': ['a2.test', 'a4.test'],
  })
})

test('while an account rests for its wrong key, domains at the other go on', async () => {
  outside.azure.revoke()
  outside.mailcow.revoke()
  for (const name of ['b1.test', 'b2.test']) await add(name)
  await add('mixed.test', MIXED)
  await active('b2.test')
  await take('b2.test')
  const isTold = (stage: string, sentence: string) => (domain: Json) =>
    conditionOf(domain, stage).message.includes(sentence)
  await until('b1.test', isTold('sender_registered', 'Azure refuses our credentials.'))
  await until('mixed.test', isTold('mail_domain_ready', 'Mailcow refuses our credentials.'))
  for (const name of ['a1.test', 'a2.test', 'a3.test', 'a4.test']) await active(name)
  const resting = [...product.log().matchAll(/The account (\S+) rests/g)].map(([, name]) => name)
  assert.deepEqual(resting.toSorted(), ['azure-west', 'mail-1'])
})

test('once the key is right again and the product started anew, all go on where they were placed', async () => {
  outside.azure.restore()
  outside.mailcow.restore()
  await product.stop()
  product = await start(EAST_ONLY)
  // The hour of rest is over.
  await sql`update domains set next_at = now()`.execute(db)
  const places = [WEST, EAST, WEST, EAST, WEST, EAST, MIXED]
  assert.deepEqual(await placesOf(ids.keys()), places)
  await add('c1.test')
  assert.deepEqual(await placesOf(['c1.test']), [EAST])
})

test('each is removed at its own account, and nothing is left at any', async () => {
  await remove('a1.test', 'a3.test', 'b1.test')
  assert.deepEqual(held(), {
    'azure-west': [],
    'azure-east': ['a2.test', 'a4.test', 'b2.test', 'c1.test', 'mixed.test'],
    'mail-1': ['mixed.test'],
    'mail-2': ['a2.test', 'a4.test', 'b2.test', 'c1.test'],
  })
  await remove('a2.test', 'a4.test', 'b2.test', 'c1.test', 'mixed.test')
  assert.deepEqual(await outside.left(), NOTHING_LEFT_AT_TWO)
})
