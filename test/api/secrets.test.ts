import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { after, test } from 'node:test'
import { makeApiKey } from '#names/api-key.ts'
import { createApiKey, FIRST_WORKSPACE } from '#store/api-keys.ts'
import { type Answer, Client, type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { ask, OPERATIONS } from './operations.ts'

const bootstrap = makeApiKey('sandbox')
const secretKey = Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')
const house = await testHouse({
  MAILSTEAD_BOOTSTRAP_KEY: bootstrap,
  MAILSTEAD_SECRET_KEY: secretKey,
  MAILSTEAD_WAIT_MS: '1000',
})
after(() => house[Symbol.asyncDispose]())
const { store } = house

/** Every answer of this run, headers and all. */
const answers: string[] = []

class RecordingClient extends Client {
  override async request(...asked: Parameters<Client['request']>): Promise<Answer> {
    const answer = await super.request(...asked)
    answers.push(JSON.stringify([answer.status, [...answer.headers], answer.body]))
    return answer
  }
}

const client = new RecordingClient(house.client.base, bootstrap)
const other = new RecordingClient(house.client.base, house.client.key)
const keys = [bootstrap, house.client.key!]

/** A whole life, with everything going wrong that can: what is logged and answered is kept. */
test('a run through every operation, with failures of every kind', async () => {
  const { domain_id } = await client.addActive('secret.test')
  const fields = { domain_id, email_prefix: 'kim', display_name: 'Kim' }
  const inbox: Json = (await client.post('/sender-accounts/coldsend-native', fields)).body
  const ids = { domain: domain_id, inbox: inbox.inbox_id }
  for (const stage of [
    'sender_registered',
    'mail_domain_ready',
    'sender_verified',
    'mail_proven',
  ]) {
    for (const outcome of ['rejected', 'throttled', 'unavailable'])
      await client.misbehave(`${outcome}-${stage.replaceAll('_', '-')}.test`, stage, outcome)
    await client.addDelegated(`rejected-${stage.replaceAll('_', '-')}.test`)
  }
  await client.misbehave('secret.test', 'mail_proven', 'unavailable')
  for (const each of [client, other]) {
    for (const operation of OPERATIONS.filter(({ method }) => method !== 'DELETE'))
      await ask(each, operation, ids)
  }
  await until(
    async () => (await client.get('/domains?status=FAILED')).body,
    ({ pagination }) => pagination.total >= 3,
  )
  for (const world of ['sandbox', 'live'] as const) {
    const wanted = { workspaceId: FIRST_WORKSPACE, world, name: 'x', scopes: [] }
    const { key } = await createApiKey(store, wanted)
    keys.push(key)
    await new RecordingClient(client.base, key).get('/domains')
    const bearer = { authorization: `Bearer ${key}`, 'x-api-key': '' }
    await client.request('POST', '/api/public/v1/domains', '{', bearer)
  }
  const typo = `${bootstrap.slice(0, -1)}!`
  keys.push(typo)
  await new RecordingClient(client.base, typo).get(`/domains?api_key=${bootstrap}&search=%00`)
  await client.get(`/domains?search=%00&api_key=${bootstrap}`)
  const mail = { from: 'lead@inbox.test', to: inbox.email_address, subject: 'x', text: 'a\u0000b' }
  await client.sandbox('POST', '/mail', mail)
  await client.delete(`/domains/${domain_id}`)
  await client.undelegate('secret.test')
  await client.untilRemoval(domain_id, 'done')
})

/** The secrets of this run by what they are; a private key by each of its lines. */
async function secrets(): Promise<[what: string, secret: string][]> {
  const { db, vault } = store
  const domains = await db
    .selectFrom('dkim_keys')
    .selectAll()
    .where('private_key', 'is not', null)
    .$narrowType<{ private_key: string }>()
    .execute()
  const stock = await db.selectFrom('dkim_keypairs').selectAll().execute()
  const opened = domains.map((row) => vault.open(row.private_key, `dkim:${row.claim_id}`))
  const lines = opened.flatMap((pem) => pem.split('\n').filter((line) => line.length > 40))
  const hashes = await db.selectFrom('api_keys').select('hash').execute()
  assert.ok(opened.length > 0 && lines.length > 10)
  return [
    ...keys.map((key): [string, string] => ['an API key', key]),
    ...keys.map((key): [string, string] => ['the random part of an API key', key.slice(8, 42)]),
    ...hashes.map(({ hash }): [string, string] => ["an API key's hash", hash.toString('hex')]),
    ...lines.map((line): [string, string] => ['a private key', line]),
    ...[...domains, ...stock].map((row): [string, string] => ['a sealed key', row.private_key]),
    ['a private key', 'PRIVATE KEY'],
    ['the secret key', secretKey],
    ['the secret key in hexadecimal', Buffer.from(secretKey, 'base64').toString('hex')],
    ['the password of the database', String(house.database.connection.password)],
    ['the address of the database', house.database.url],
  ]
}

test('no secret is in any line of the log', async () => {
  assert.ok(house.logLines.length > 50)
  for (const [what, secret] of await secrets()) {
    const line = house.logLines.find((each) => each.includes(secret))
    assert.equal(line, undefined, `${what} is in the log`)
  }
})

test('no secret is in any answer', async () => {
  assert.ok(answers.length > 50)
  for (const [what, secret] of await secrets()) {
    const answer = answers.find((each) => each.includes(secret))
    assert.equal(answer, undefined, `${what} is in an answer`)
  }
})

test('no answer tells of our insides', async () => {
  for (const answer of answers) {
    assert.doesNotMatch(
      answer,
      /node_modules|\.ts:\d+|\n\s+at |DatabaseError|SELECT |kysely|\/tmp\//,
    )
    assert.doesNotMatch(answer, /"(x-powered-by|server)"/i)
  }
})

test('every line of the log is one object, and its request can be found by its id', () => {
  const lines = house.logLines.map((line) => JSON.parse(line))
  const answered = lines.filter(({ msg }) => msg === 'answered')
  assert.ok(answered.length > 50)
  for (const line of answered) {
    assert.equal(typeof line.reqId, 'string')
    assert.equal(typeof line.status, 'number')
    assert.ok(!line.path.includes('?'), 'queries may hold what is private')
  }
})

test('a key is kept as a keyed hash alone', async () => {
  const rows = await store.db.selectFrom('api_keys').selectAll().execute()
  const kept = JSON.stringify(rows)
  for (const key of keys) assert.ok(!kept.includes(key.slice(8, 42)))
})

test('of what is on disk, secrets are for their owner alone', async () => {
  assert.equal(house.house.firstKeyFile, undefined, 'with a bootstrap key, none is made')
  await using fresh = await testHouse()
  const path = fresh.house.firstKeyFile!
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  const first = (await readFile(path, 'utf8')).trim()
  assert.equal((await new Client(fresh.client.base, first).get('/domains')).status, 200)
  assert.ok(!fresh.logLines.some((line) => line.includes(first)))
})
