import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type DKIMVerifyOptions, dkimVerify } from 'mailauth'
import PostalMime from 'postal-mime'
import { decodedContent } from '#mail/content.ts'
import { compose, type PlainMessage } from '#mail/outgoing/compose.ts'
import { sign } from '#mail/outgoing/sign.ts'
import { absolute, relative } from '#names/domain-name.ts'
import { LookupFailed, type Resolver } from '#resolver/resolver.ts'
import { ensureWorkspace, FIRST_WORKSPACE } from '#store/api-keys.ts'
import { findSigningKey, stockKeyPairs } from '#store/dkim-keys.ts'
import { senderStore } from '#store/sender-domains.ts'
import { testStore } from '../../../../test/store.ts'
import { type Bench, MESSAGE, registered, senderDriverConformance } from '../conformance.ts'
import type { ClaimRef, NeededRecord } from '../contract.ts'
import { embeddedSenderDriver } from './driver.ts'
import { excuses } from './excuses.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db } = store
await ensureWorkspace(store, FIRST_WORKSPACE, 'a workspace')
/** What a domain sends that is not active yet. */
const PROBE: PlainMessage = { ...MESSAGE, origin: 'probe' }

/** The records anyone finds in the DNS; undefined while it does not answer. */
type PublicDns = { records: readonly NeededRecord[] | undefined }

function resolverOf(dns: PublicDns): Resolver {
  return {
    async resolve(name, type, signal) {
      signal.throwIfAborted()
      if (!dns.records) throw new LookupFailed(`nobody answers for ${name} ${type}`)
      const found = dns.records.filter((r) => relative(r.name) === name && r.type === type)
      const records = found.flatMap(({ ttl, data }) =>
        data.map((value) => ({ name, type, ttl, data: value })),
      )
      return { rcode: found.length > 0 ? 'NOERROR' : 'NXDOMAIN', records }
    },
  }
}

type EmbeddedBench = Bench & { dns: PublicDns; queue(claim: ClaimRef): Promise<Queued[]> }
type Queued = {
  world: string
  state: string
  author: string
  recipient: string
  encoding: 'identity' | 'zstd' | null
  content: Buffer | null
}
const NO_LIMITS = { workspace: 0, installation: 0 }

/** A claim that stands in the database, as those of domains do. */
async function newClaim(): Promise<ClaimRef> {
  const [claimId, domainId, name] = [randomUUID(), randomUUID(), 'conformance.example']
  const tenant = { workspace_id: FIRST_WORKSPACE, world: 'sandbox' as const, name }
  const drivers = {
    zone_driver: 'embedded',
    sender_driver: 'embedded',
    mailbox_driver: 'embedded',
  }
  // One of a name stands at a time; the others are gone.
  const gone = { removal_requested_at: new Date(), removed_at: new Date() }
  await db
    .insertInto('domains')
    .values({ id: domainId, ...tenant, ...drivers, ...gone })
    .execute()
  const claim = { id: claimId, domain_id: domainId }
  await db
    .insertInto('claims')
    .values({ ...claim, ...tenant })
    .execute()
  return { claimId, name, nameservers: [] }
}

async function openBench(): Promise<EmbeddedBench> {
  const dns: PublicDns = { records: [] }
  return {
    driver: embeddedSenderDriver({
      store: senderStore(store, 'sandbox', NO_LIMITS),
      publicDns: resolverOf(dns),
      mailHost: 'mx.mailstead.test',
      receivesMail: true,
      rotationDays: 90,
    }),
    claim: await newClaim(),
    rival: await newClaim(),
    async publish(records) {
      dns.records = records
    },
    async silence() {
      dns.records = undefined
    },
    dns,
    queue: ({ claimId }) =>
      db
        .selectFrom('outgoing_messages as m')
        .leftJoin('message_contents as c', 'c.id', 'm.content_id')
        .select(['world', 'state', 'author', 'recipient', 'encoding', 'content'])
        .where('claim_id', '=', claimId)
        .where('state', '=', 'queued')
        .execute(),
    async [Symbol.asyncDispose]() {},
  }
}

senderDriverConformance('embedded', openBench, excuses)

/** Registers and publishes the claim, sends, and gives what leaves the queue: signed with the key of then. */
async function sendOne(
  { driver, claim, publish, queue }: EmbeddedBench,
  signal: AbortSignal,
  message: Partial<PlainMessage> = {},
): Promise<Queued & { raw: Buffer; messageId: string }> {
  const records = await registered(driver, claim, signal)
  await publish(records)
  const mail = await compose({ ...PROBE, ...message }, claim.name)
  await driver.send(claim, mail, signal)
  const [queued, ...more] = await queue(claim)
  assert.ok(queued && more.length === 0)
  const content = decodedContent({ encoding: queued.encoding!, content: queued.content! })
  const key = await findSigningKey(store, claim.claimId)
  return { ...queued, raw: await sign(content, claim.name, key!), messageId: mail.messageId }
}

/** The results of all DKIM signatures, with the DNS of the bench to look keys up in. */
async function dkimOf(raw: Buffer, { dns }: EmbeddedBench) {
  const options = {
    resolver: async (name: string, type: string) => {
      const found = dns.records?.filter((r) => relative(r.name) === name && r.type === type) ?? []
      if (found.length === 0) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
      return found.flatMap(({ data }) => data.map((value) => [value]))
    },
  } as DKIMVerifyOptions
  const { results } = await dkimVerify(raw, options)
  return results.map(({ signingDomain, status }) => `${status.result} ${signingDomain}`)
}

const edited = (raw: Buffer, from: string, to: string): Buffer => {
  const text = raw.toString('latin1')
  assert.ok(text.includes(from), `${from} in the message`)
  return Buffer.from(text.replace(from, to), 'latin1')
}

describe('what the embedded sender enqueues', () => {
  test('is the message, from the author’s address to the recipient', async ({ signal }) => {
    await using bench = await openBench()
    const sent = await sendOne(bench, signal)
    assert.equal(sent.author, 'kim@conformance.example')
    assert.equal(sent.recipient, MESSAGE.recipient)
    assert.deepEqual([sent.world, sent.state], ['sandbox', 'queued'])
    const mail = await PostalMime.parse(sent.raw)
    assert.deepEqual(mail.from, { name: 'Kim Lee', address: 'kim@conformance.example' })
    assert.deepEqual(
      mail.to?.map(({ address }) => address),
      [MESSAGE.recipient],
    )
    assert.equal(mail.subject, MESSAGE.subject)
    assert.equal(mail.text, MESSAGE.text)
    assert.equal(mail.messageId, sent.messageId)
    const { value } = mail.headers.find(({ key }) => key === 'auto-submitted') ?? {}
    assert.equal(value, 'auto-generated')
  })

  test('is signed, and verifies with the key that was asked to be published', async ({
    signal,
  }) => {
    await using bench = await openBench()
    const { raw } = await sendOne(bench, signal)
    assert.deepEqual(await dkimOf(raw, bench), ['pass conformance.example'])
  })

  test('has lines that end with CRLF and are no longer than 998 octets', async ({ signal }) => {
    await using bench = await openBench()
    const { raw } = await sendOne(bench, signal, { text: `${'a'.repeat(3000)}\nü\n.\n` })
    const lines = raw.toString('latin1').split('\r\n')
    for (const line of lines) {
      assert.ok(line.length <= 998)
      assert.doesNotMatch(line, /[\r\n]/)
    }
    assert.deepEqual(await dkimOf(raw, bench), ['pass conformance.example'])
  })

  // biome-ignore format: a table
  const FORGERIES: [what: string, from: string, to: string][] = [
    ['body',                  'this is Kim', 'this is Tim'],
    ['author',                'Kim Lee', 'Tim Lee'],
    ['recipient',             'To: visitor@', 'To: victim@'],
    ['subject',               'Subject: ', 'Subject: Re: '],
    ['Message-ID',            'Message-ID: <', 'Message-ID: <x'],
  ]

  for (const [what, from, to] of FORGERIES) {
    test(`does not verify any more with another ${what}`, async ({ signal }) => {
      await using bench = await openBench()
      const { raw } = await sendOne(bench, signal)
      const [result] = await dkimOf(edited(raw, from, to), bench)
      assert.notEqual(result, 'pass conformance.example')
    })
  }

  test('does not verify with the key of another claim, nor without a key', async ({ signal }) => {
    await using bench = await openBench()
    const { raw } = await sendOne(bench, signal)
    const own = bench.dns.records!.find(({ purpose }) => purpose === 'dkim')!
    const records = await registered(bench.driver, bench.rival, signal)
    const others = records.find(({ purpose }) => purpose === 'dkim')!
    for (const published of [[{ ...own, data: others.data }], []]) {
      await bench.publish(published)
      assert.doesNotMatch((await dkimOf(raw, bench)).join(), /pass/)
    }
  })

  // biome-ignore format: a table
  const INJECTIONS: [what: string, message: Partial<PlainMessage>][] = [
    ['subject',      { subject: 'Hi\r\nBcc: victim@elsewhere.example\r\n\r\nBody' }],
    ['display name', { author: { localpart: 'kim', displayName: 'Kim\r\nBcc: victim@elsewhere.example' } }],
    ['header',       { headers: { 'X-Note': 'a\r\nBcc: victim@elsewhere.example' } }],
  ]

  for (const [what, message] of INJECTIONS) {
    test(`has no header that a line break in the ${what} made`, async ({ signal }) => {
      await using bench = await openBench()
      const { raw } = await sendOne(bench, signal, message)
      const mail = await PostalMime.parse(raw)
      assert.ok(!mail.headers.some(({ key }) => key === 'bcc'))
      assert.deepEqual(mail.from?.address, 'kim@conformance.example')
      assert.equal(mail.text, MESSAGE.text)
    })
  }
})

const aMail = () => compose(PROBE, 'conformance.example')

describe('the embedded sender’s queue', () => {
  test('stays empty when a message is refused or its time is up', async ({ signal }) => {
    await using bench = await openBench()
    const { driver, claim, queue } = bench
    await assert.rejects(driver.send(claim, await aMail(), signal))
    await driver.ensureDomain(claim, signal)
    await assert.rejects(driver.send(claim, await aMail(), AbortSignal.abort()))
    assert.deepEqual(await queue(claim), [])
  })

  test('stays empty when a domain is removed while a message is made for it', async ({
    signal,
  }) => {
    await using bench = await openBench()
    const { driver, claim, queue } = bench
    for (let turns = 0; turns < 10; turns++) {
      await driver.ensureDomain(claim, signal)
      const sending = driver.send(claim, await aMail(), signal)
      await Promise.allSettled([sending, delay(1).then(() => driver.removeDomain(claim, signal))])
      assert.deepEqual(await queue(claim), [])
    }
  })

  test('is emptied by removal, and the other claim’s is not', async ({ signal }) => {
    await using bench = await openBench()
    const { driver, claim, rival, queue } = bench
    await driver.ensureDomain(rival, signal)
    await driver.send(rival, await aMail(), signal)
    await sendOne(bench, signal)
    await driver.removeDomain(claim, signal)
    assert.deepEqual(await queue(claim), [])
    assert.equal((await queue(rival)).length, 1)
  })
})

describe('the embedded sender’s keys', () => {
  test('come from the stock first, and none is given out twice', async ({ signal }) => {
    await using bench = await openBench()
    const stocked = async () =>
      (await db.selectFrom('dkim_keypairs').select('public_key').execute()).map(
        ({ public_key }) => `v=DKIM1; k=rsa; p=${public_key}`,
      )
    await stockKeyPairs(store, signal)
    await stockKeyPairs(store, signal)
    const stock = await stocked()
    assert.equal(stock.length, 4)
    const answers = await Promise.all(
      [bench.claim, bench.rival].map((claim) => registered(bench.driver, claim, signal)),
    )
    const given = answers.flatMap((records) =>
      records.filter(({ purpose }) => purpose === 'dkim').flatMap(({ data }) => data),
    )
    assert.ok(given.every((key) => stock.includes(key)))
    assert.equal(new Set(given).size, 2)
    await bench.driver.ensureDomain(bench.claim, signal)
    assert.equal((await stocked()).length, 2)
  })

  test('and selectors are new when a name comes back', async ({ signal }) => {
    await using bench = await openBench()
    const { driver, claim } = bench
    const before = await registered(driver, claim, signal)
    await driver.removeDomain(claim, signal)
    const after = await registered(driver, claim, signal)
    const [old, fresh] = [before, after].map((records) =>
      records.find(({ purpose }) => purpose === 'dkim'),
    )
    assert.notEqual(old?.name, fresh?.name)
    assert.notDeepEqual(old?.data, fresh?.data)
  })

  test('are not in the database in clear', async ({ signal }) => {
    await using bench = await openBench()
    await bench.driver.ensureDomain(bench.claim, signal)
    const { private_key } = await db
      .selectFrom('dkim_keys')
      .select('private_key')
      .$narrowType<{ private_key: string }>()
      .where('claim_id', '=', bench.claim.claimId)
      .executeTakeFirstOrThrow()
    assert.doesNotMatch(private_key, /PRIVATE KEY/)
    assert.throws(() => store.vault.open(private_key, `dkim:${bench.rival.claimId}`))
  })
})

describe('the embedded sender’s rotation', () => {
  const AT = new Date('2026-11-01T12:00:00Z')
  const LATER = new Date('2026-11-02T12:00:00Z')
  const routine = { occasion: 'routine', at: AT } as const

  const statesOf = async ({ driver, claim }: EmbeddedBench, signal: AbortSignal) =>
    (await driver.rotation!.keys(claim, signal)).map(({ state }) => state).toSorted()

  test('has one key in waiting at most, however many ask', async ({ signal }) => {
    await using bench = await openBench()
    const { driver, claim } = bench
    await driver.ensureDomain(claim, signal)
    const asked = Array.from({ length: 5 }, () => driver.rotation!.begin(claim, routine, signal))
    const results = await Promise.all(asked)
    assert.equal(results.filter((result) => result === 'begun').length, 1)
    assert.deepEqual(await statesOf(bench, signal), ['pending', 'signing'])
    const records = await registered(driver, claim, signal)
    assert.equal(records.filter(({ purpose }) => purpose === 'dkim').length, 2)
  })

  test('forgets the secret of a key that signs no more, and its record with it', async ({
    signal,
  }) => {
    await using bench = await openBench()
    const { driver, claim } = bench
    const rotation = driver.rotation!
    await driver.ensureDomain(claim, signal)
    const [old] = await rotation.keys(claim, signal)
    await rotation.begin(claim, routine, signal)
    const fresh = (await rotation.keys(claim, signal)).find(({ state }) => state === 'pending')
    for (const _ of ['once', 'again']) await rotation.sign(claim, fresh!.selector, LATER, signal)
    assert.deepEqual(await statesOf(bench, signal), ['retiring', 'signing'])
    const left = await db
      .selectFrom('dkim_keys')
      .select('selector')
      .where('claim_id', '=', claim.claimId)
      .where('private_key', 'is not', null)
      .execute()
    assert.deepEqual(left, [{ selector: fresh!.selector }])
    for (const _ of ['once', 'again']) await rotation.revoke(claim, old!.selector, LATER, signal)
    const records = await registered(driver, claim, signal)
    const revoked = records.find(({ name }) => name === old!.name)
    assert.deepEqual(revoked?.data, ['v=DKIM1; k=rsa; p='])
    for (const _ of ['once', 'again']) await rotation.drop(claim, old!.selector, signal)
    assert.deepEqual(await statesOf(bench, signal), ['signing'])
  })

  test('neither revokes nor drops the key that signs', async ({ signal }) => {
    await using bench = await openBench()
    const { driver, claim } = bench
    await driver.ensureDomain(claim, signal)
    const [key] = await driver.rotation!.keys(claim, signal)
    await driver.rotation!.revoke(claim, key!.selector, LATER, signal)
    await driver.rotation!.drop(claim, key!.selector, signal)
    assert.deepEqual(await statesOf(bench, signal), ['signing'])
  })

  test('is refused to a claim that is not registered', async ({ signal }) => {
    await using bench = await openBench()
    const begun = bench.driver.rotation!.begin(bench.claim, routine, signal)
    await assert.rejects(begun, { name: 'DriverError', kind: 'rejected' })
  })

  test('remembers the selectors of a name when the keys are gone', async ({ signal }) => {
    await using bench = await openBench()
    const { driver, claim } = bench
    await driver.ensureDomain(claim, signal)
    const [key] = await driver.rotation!.keys(claim, signal)
    await driver.removeDomain(claim, signal)
    const known = await db
      .selectFrom('dkim_selectors')
      .select('selector')
      .where('name', '=', claim.name)
      .where('selector', '=', key!.selector)
      .execute()
    assert.equal(known.length, 1)
  })
})

describe('the embedded sender’s verification', () => {
  const published = async (bench: EmbeddedBench, signal: AbortSignal) => {
    const records = await registered(bench.driver, bench.claim, signal)
    const key = records.find(({ purpose }) => purpose === 'dkim')!
    return { key, value: key.data[0]! }
  }
  const K = 'v=DKIM1; k=rsa; p='

  // biome-ignore format: a table
  const SHOWN: [what: string, shown: (key: string) => string[], expected: string][] = [
    ['the key',                                 (key) => [key],                                     'verified'],
    ['the key, with white space in it',         (key) => [key.replace('p=', 'p = ').replace(/.{9}$/, ' $&')], 'verified'],
    ['the key beside another',                  (key) => [`${K}AAAA`, key],                         'verified'],
    ['nothing',                                 () => [],                                           'key_missing'],
    ['another key',                             () => [`${K}AAAA`],                                 'key_mismatch'],
    ['a revoked key',                           () => [K],                                          'key_mismatch'],
    ['the key cut short',                       (key) => [key.slice(0, -4)],                        'key_mismatch'],
    ['something that is no key record',         () => ['v=spf1 -all'],                              'key_mismatch'],
  ]

  for (const [what, shown, expected] of SHOWN) {
    test(`${expected} when the DNS shows ${what}`, async ({ signal }) => {
      await using bench = await openBench()
      const { key, value } = await published(bench, signal)
      const data = shown(value)
      await bench.publish(data.length > 0 ? [{ ...key, data }] : [])
      const verification = await bench.driver.verifyDomain(bench.claim, signal)
      assert.equal('reason' in verification ? verification.reason : verification.is, expected)
    })
  }

  test('could not ask when the DNS does not answer', async ({ signal }) => {
    await using bench = await openBench()
    await published(bench, signal)
    await bench.silence()
    await assert.rejects(bench.driver.verifyDomain(bench.claim, signal), { name: 'LookupFailed' })
  })
})

test('the SPF policy includes the name that lists the platform’s addresses', async ({ signal }) => {
  await using bench = await openBench()
  const records = await registered(bench.driver, bench.claim, signal)
  assert.deepEqual(
    records.filter(({ purpose }) => purpose === 'spf'),
    [
      {
        name: absolute(bench.claim.name),
        type: 'TXT',
        ttl: 300,
        data: ['v=spf1 include:_spf.mx.mailstead.test ~all'],
        purpose: 'spf',
      },
    ],
  )
})
