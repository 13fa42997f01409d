/** DKIM keys take turns, and no message goes out that cannot be verified. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { wakeRow } from '#engine/due-rows.ts'
import { makeApiKey } from '#names/api-key.ts'
import type { Database } from '#store/database.ts'
import { openDatabase } from '#store/database.ts'
import { DOMAINS } from '#store/due-tables.ts'
import { type Client, conditionOf, type Json, until } from '../client.ts'
import { testDatabase } from '../database.ts'
import { temporaryDirectory } from '../directories.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'
import { startProduct } from '../product.ts'

const house = await testHouse({ MAILSTEAD_DKIM_ROTATION_DAYS: '0' })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const REVOKED = 'v=DKIM1; k=rsa; p='

/** What the nameserver shows at a selector, or nothing. */
async function shownAt(dns: string, selector: string, domain: string): Promise<string> {
  const { answers } = await ask(dns, `${selector}._domainkey.${domain}`, 'TXT')
  return answers.map(({ data }) => [data].flat().map(String).join('')).join()
}

/** The selectors of a domain by their state. */
async function keysOf(db: Database, name: string): Promise<Record<string, string[]>> {
  const rows = await db
    .selectFrom('dkim_keys as k')
    .innerJoin('sender_domains as s', 's.claim_id', 'k.claim_id')
    .select(['k.state', 'k.selector'])
    .where('s.name', '=', name)
    .orderBy('k.since')
    .execute()
  const byState = Map.groupBy(rows, ({ state }) => state)
  return Object.fromEntries(
    [...byState].map(([state, found]) => [state, found.map(({ selector }) => selector)]),
  )
}

const untilKeys = (
  db: Database,
  name: string,
  isWanted: (keys: Record<string, string[]>) => boolean,
) => until(() => keysOf(db, name), isWanted)

/** As if the domain's keys had been in their states for some days more; its next pass is now. */
async function passDays(db: Database, name: string, days: number): Promise<void> {
  const past = sql<Date>`since - ${days} * interval '1 day'`
  const claims = db.selectFrom('sender_domains').select('claim_id').where('name', '=', name)
  await db.updateTable('dkim_keys').set({ since: past }).where('claim_id', 'in', claims).execute()
  const rows = await db.selectFrom('domains').select('id').where('name', '=', name).execute()
  for (const { id } of rows) await wakeRow(db, DOMAINS, id)
}

async function addInbox(by: Client, domainId: string): Promise<string> {
  const wish = { domain_id: domainId, email_prefix: 'kim', display_name: 'Kim' }
  return (await by.post('/sender-accounts/coldsend-native', wish)).body.inbox_id
}

/** Sends a message out of the inbox and gives the selector it was signed with, and how it was judged. */
async function sendOne(by: Client, inbox: string, to: string): Promise<[string, Json]> {
  const sent = await by.post(`/sender-accounts/${inbox}/test-email`, { recipient_email: to })
  assert.equal(sent.status, 200, JSON.stringify(sent.body))
  const { messages } = await until(
    async () => (await by.sandbox('GET', `/mail?to=${to}`)).body,
    (seen) => seen.messages.length > 0,
  )
  const [message] = messages
  const [, selector] = /\bs=([^;\s]+)/.exec(message.headers['dkim-signature'])!
  return [selector!, message.authentication]
}

const PASS = { spf: 'pass', dkim: 'pass', dmarc: 'pass' }

test('a key is published beside the old one, signs once it is seen, and the old one retires in weeks', async () => {
  const { domain_id } = await client.addActive('turning.test')
  const inbox = await addInbox(client, domain_id)
  const [old, judged] = await sendOne(client, inbox, 'before@inbox.test')
  assert.deepEqual(judged, PASS)
  const oldRecord = await shownAt(house.dns, old, 'turning.test')

  const { status, body } = await client.post(`/domains/${domain_id}/dkim/rotate`)
  assert.equal(status, 202)
  const fresh = body.selectors[1].selector
  assert.deepEqual(body, {
    success: true,
    message: body.message,
    domain_id,
    domain_name: 'turning.test',
    state: 'rotating',
    selectors: [
      { selector: old, state: 'signing' },
      { selector: fresh, state: 'pending' },
    ],
  })
  const [between, judgedBetween] = await sendOne(client, inbox, 'between@inbox.test')
  assert.deepEqual([between, judgedBetween], [old, PASS])
  await until(
    () => shownAt(house.dns, fresh, 'turning.test'),
    (shown) => shown.startsWith('v=DKIM1; k=rsa; p=M'),
  )

  const turned = await untilKeys(store.db, 'turning.test', ({ pending }) => !pending)
  assert.deepEqual(turned, { retiring: [old], signing: [fresh] })
  const [now, judgedNow] = await sendOne(client, inbox, 'after@inbox.test')
  assert.deepEqual([now, judgedNow], [fresh, PASS])
  assert.equal(await shownAt(house.dns, old, 'turning.test'), oldRecord, 'for mail in flight')
  const proven = await client.untilDomain(
    domain_id,
    (domain) => conditionOf(domain, 'mail_proven').status === 'met',
  )
  assert.equal(proven.status, 'ACTIVE')

  await passDays(store.db, 'turning.test', 7)
  await until(
    () => shownAt(house.dns, old, 'turning.test'),
    (shown) => shown === REVOKED,
  )
  await passDays(store.db, 'turning.test', 7)
  await until(
    () => shownAt(house.dns, old, 'turning.test'),
    (shown) => shown === '',
  )
  const left = await client.untilDomain(
    domain_id,
    ({ dns_records }) => dns_records.filter((r: Json) => r.purpose === 'dkim').length === 1,
  )
  assert.equal(left.status, 'ACTIVE')
  const record = left.dns_records.find((r: Json) => r.purpose === 'dkim')
  assert.equal(record.name, `${fresh}._domainkey.turning.test`)
  assert.deepEqual(await keysOf(store.db, 'turning.test'), { signing: [fresh] })
})

test('the new key is proven by a test message of its own, and nothing else of the rotation is', async () => {
  const { domain_id } = await client.addActive('probing.test')
  const probes = async () =>
    (await store.db.selectFrom('probes').select('id').where('domain_id', '=', domain_id).execute())
      .length
  const before = await probes()
  await client.post(`/domains/${domain_id}/dkim/rotate`, {})
  await untilKeys(store.db, 'probing.test', ({ pending }) => !pending)
  const isProven = (domain: Json) => conditionOf(domain, 'mail_proven').status === 'met'
  await until(probes, (count) => count === before + 1)
  await client.untilDomain(domain_id, isProven)
  for (const state of ['revoked', 'dropped']) {
    await passDays(store.db, 'probing.test', 7)
    await untilKeys(
      store.db,
      'probing.test',
      (keys) => !keys.retiring && (state === 'revoked' || !keys.revoked),
    )
  }
  await client.untilDomain(domain_id, isProven)
  assert.equal(await probes(), before + 1)
})

test('after a compromise all older keys are revoked as soon as the new one signs', async () => {
  const { domain_id } = await client.addActive('leaked.test')
  const inbox = await addInbox(client, domain_id)
  await client.post(`/domains/${domain_id}/dkim/rotate`, { compromised: false })
  const { retiring, signing } = await untilKeys(store.db, 'leaked.test', ({ pending }) => !pending)
  const { status } = await client.post(`/domains/${domain_id}/dkim/rotate`, { compromised: true })
  assert.equal(status, 202)
  const older = [...retiring!, ...signing!]
  const keys = await untilKeys(store.db, 'leaked.test', ({ revoked }) => revoked?.length === 2)
  assert.deepEqual(keys.revoked!.toSorted(), older.toSorted())
  for (const selector of older) {
    await until(
      () => shownAt(house.dns, selector, 'leaked.test'),
      (shown) => shown === REVOKED,
    )
  }
  const [selector, judged] = await sendOne(client, inbox, 'leaked@inbox.test')
  assert.deepEqual([[selector], judged], [keys.signing, PASS])
})

test('a rotation is refused where none can be, and a key in waiting keeps others away', async () => {
  const { body: young } = await client.post('/domains', { domain: 'young.test' })
  const early = await client.post(`/domains/${young.domain_id}/dkim/rotate`)
  assert.deepEqual([early.status, early.body.error], [409, 'domain_not_active'])
  assert.equal(early.body.domain_status, 'DNS_PENDING')

  const { domain_id } = await client.addActive('refusing.test')
  const path = `/domains/${domain_id}/dkim/rotate`
  const answers = await Promise.all([1, 2, 3].map(() => client.post(path)))
  const refused = answers.filter((answer) => answer.status === 409)
  assert.equal(refused.length, 2)
  assert.equal(refused[0]!.body.error, 'rotation_in_progress')
  assert.deepEqual(
    refused[0]!.body.selectors.map(({ state }: Json) => state),
    ['signing', 'pending'],
  )
  assert.equal((await client.post(path, { compromised: 'perhaps' })).status, 422)

  // As if it were at a service that rotates by itself.
  await untilKeys(store.db, 'refusing.test', ({ pending }) => !pending)
  const elsewhere = { sender_driver: 'elsewhere' }
  await store.db.updateTable('domains').set(elsewhere).where('id', '=', domain_id).execute()
  const { status, body } = await client.post(path)
  assert.deepEqual([status, body.error, body.provider], [409, 'not_rotatable', 'elsewhere'])
})

test('a key does not sign while its record is not seen, and the old one goes on', async () => {
  const { domain_id } = await client.addActive('unseen.test')
  const inbox = await addInbox(client, domain_id)
  await client.misbehave('unseen.test', 'records_published', 'unavailable', 100_000)
  await client.post(`/domains/${domain_id}/dkim/rotate`)
  await client.untilDomain(domain_id, (domain) =>
    /could not be taken/.test(conditionOf(domain, 'records_published').message),
  )
  await passDays(store.db, 'unseen.test', 1)
  const { signing, pending } = await keysOf(store.db, 'unseen.test')
  assert.equal(pending?.length, 1)
  const [selector, judged] = await sendOne(client, inbox, 'unseen@inbox.test')
  assert.deepEqual([[selector], judged], [signing, PASS])
  await client.sandbox('DELETE', '/outcomes/unseen.test')
  await passDays(store.db, 'unseen.test', 0)
  const turned = await untilKeys(store.db, 'unseen.test', (keys) => !keys.pending)
  assert.deepEqual(turned.signing, pending)
})

test('a name that was removed and comes back gets selectors it never had', async () => {
  const first = await client.addActive('back.test')
  await client.post(`/domains/${first.domain_id}/dkim/rotate`)
  const keys = await untilKeys(store.db, 'back.test', ({ pending }) => !pending)
  const used = Object.values(keys).flat()
  assert.equal(used.length, 2)
  await client.undelegate('back.test')
  await client.delete(`/domains/${first.domain_id}`)
  await client.untilRemoval(first.domain_id, 'done')
  assert.deepEqual(await keysOf(store.db, 'back.test'), {})
  await client.addActive('back.test')
  const { signing } = await keysOf(store.db, 'back.test')
  assert.ok(signing && !used.includes(signing[0]!))
  const ever = await store.db
    .selectFrom('dkim_selectors')
    .select('selector')
    .where('name', '=', 'back.test')
    .execute()
  assert.equal(ever.length, 3)
})

test('with a period set, an old key is followed by a new one unasked', async () => {
  await using clocked = await testHouse({ MAILSTEAD_DKIM_ROTATION_DAYS: '1' })
  const { db } = clocked.store
  await clocked.client.addActive('daily.test')
  const { signing: first } = await keysOf(db, 'daily.test')
  await passDays(db, 'daily.test', 1)
  const turned = await untilKeys(
    db,
    'daily.test',
    ({ retiring, pending }) => !!retiring && !pending,
  )
  assert.deepEqual(turned.retiring, first)
  assert.notDeepEqual(turned.signing, first)
})

test('killed at any moment of a rotation, one key signs in the end and mail can be verified', async () => {
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const settings = { DATABASE_URL: database.url, MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox') }
  const db = openDatabase(database.connection, { onError: () => undefined })
  let product = await startProduct({ dataDir: directory.path, settings })
  try {
    const { domain_id } = await product.client.addActive('killed.test')
    const inbox = await addInbox(product.client, domain_id)
    const seen = await keysOf(db, 'killed.test')
    // While the key is made, while it is published, while hands change.
    for (const [round, afterMs] of [0, 60, 3000].entries()) {
      const asked = product.client.post(`/domains/${domain_id}/dkim/rotate`, { compromised: true })
      await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 2000))])
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      await product.kill()
      await asked.catch(() => undefined)
      product = await startProduct({ dataDir: directory.path, settings })
      const keys = await untilKeys(
        db,
        'killed.test',
        ({ pending, retiring, signing }) => !pending && !retiring && signing?.length === 1,
      )
      assert.notDeepEqual(keys.signing, seen.signing)
      assert.equal(keys.revoked?.length, round + 1)
      const [selector, judged] = await sendOne(product.client, inbox, `round${round}@inbox.test`)
      assert.deepEqual([[selector], judged], [keys.signing, PASS])
      for (const revoked of keys.revoked!) {
        await until(
          () => shownAt(product.dns, revoked, 'killed.test'),
          (shown) => shown === REVOKED,
        )
      }
      seen.signing = keys.signing!
    }
  } finally {
    await product.stop()
    await db.destroy()
  }
})
