import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { startMailcowEmulator } from '../../../../emulators/mailcow/emulator.ts'
import { testTools } from '../../../../test/tools.ts'
import { mailboxDriverConformance } from '../conformance.ts'
import type { ClaimRef } from '../contract.ts'
import { mailcow } from './driver.ts'
import { excuses } from './excuses.ts'

const emulator = await startMailcowEmulator({ hostname: 'mail.mailcow.test' })
after(() => emulator[Symbol.asyncDispose]())

const driverWith = (more: object = {}) => {
  const given = { url: emulator.url, api_key: emulator.apiKey, mail_host: 'mail.mailcow.test' }
  return mailcow.open(mailcow.settings.parse({ ...given, mailboxes: 200, ...more }), testTools())
}
const driver = driverWith()

let count = 0
const newClaim = (name = `c${++count}.example`): ClaimRef => {
  return { claimId: randomUUID(), name, nameservers: [] }
}

mailboxDriverConformance(
  'mailcow',
  async () => {
    const claim = newClaim()
    return { driver, claim, rival: newClaim(claim.name), async [Symbol.asyncDispose]() {} }
  },
  excuses,
)

beforeEach(() => {
  emulator.faults.clear()
  emulator.calls.length = 0
})

test('whatever is aborted and however slow a call is, a removal at the end leaves nothing', async ({
  signal,
}) => {
  const step = fc.record({
    act: fc.constantFrom('ensure', 'make', 'remove'),
    abortAfterMs: fc.nat(40),
    lateMs: fc.nat(80),
  })
  const run = async (steps: readonly { act: string; abortAfterMs: number; lateMs: number }[]) => {
    const claim = newClaim()
    // What makes something takes effect late, when whoever asked may have given it up.
    let turn = 0
    emulator.faults.witness = async ({ target }, when) => {
      if (when === 'before' && target.includes('/add/'))
        await delay(steps[turn++ % steps.length]!.lateMs)
    }
    for (const { act, abortAfterMs } of steps) {
      const cut = AbortSignal.timeout(abortAfterMs)
      const acts = {
        ensure: () => driver.ensureDomain(claim, cut),
        make: () => driver.ensureMailbox(claim, 'kim', cut),
        remove: () => driver.removeDomain(claim, cut),
      }
      await acts[act as keyof typeof acts]().catch(() => undefined)
    }
    await driver.removeDomain(claim, signal)
    // Past every call that is still under way.
    await delay(100)
    const { domains, mailboxes, dkim } = emulator.holdings()
    for (const held of [...domains, ...mailboxes, ...dkim]) {
      assert.ok(!held.endsWith(claim.name), held)
    }
  }
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), run), {
    numRuns: 30,
  })
})

const asked = (path: string) => emulator.calls.filter(({ target }) => target.includes(path))

test('it asks for MX, SPF, DKIM, autoconfig and autodiscover records', async ({ signal }) => {
  const claim = newClaim('records.example')
  const { records } = await driver.ensureDomain(claim, signal)
  const written = records.map(({ name, type, data }) => `${name} ${type} ${data[0]?.slice(0, 40)}`)
  assert.deepEqual(written, [
    'records.example. MX 10 mail.mailcow.test.',
    'records.example. TXT v=spf1 mx ~all',
    'dkim._domainkey.records.example. TXT v=DKIM1;k=rsa;t=s;s=email;p=MIIBIjANBgkq',
    'autoconfig.records.example. CNAME mail.mailcow.test.',
    'autodiscover.records.example. CNAME mail.mailcow.test.',
    '_autodiscover._tcp.records.example. SRV 0 1 443 mail.mailcow.test.',
  ])
})

test('sizes are told in MiB and come back in octets', async ({ signal }) => {
  const claim = newClaim()
  await driverWith({ mailbox_mib: 100, mailboxes: 10 }).ensureDomain(claim, signal)
  const headers = { 'x-api-key': emulator.apiKey }
  const answer = await fetch(`${emulator.url}/api/v1/get/domain/${claim.name}`, { headers })
  const domain = (await answer.json()) as Record<string, number>
  assert.equal(domain.max_quota_for_mbox, 100 * 2 ** 20)
  assert.equal(domain.max_quota_for_domain, 1000 * 2 ** 20)
})

test('the key goes with the domain, even when the pass was killed between the two', async ({
  signal,
}) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  emulator.faults.add({ kind: 'lost', about: 'delete/dkim' })
  await assert.rejects(driver.removeDomain(claim, signal), { kind: 'unavailable' })
  assert.ok(!emulator.holdings().domains.includes(claim.name))
  assert.ok(emulator.holdings().dkim.includes(claim.name), 'the key outlives its domain')
  await driver.removeDomain(claim, signal)
  assert.ok(!emulator.holdings().dkim.includes(claim.name))
})

test('a key that a stranger left behind is not taken over', async ({ signal }) => {
  const name = `c${++count}.example`
  const call = (path: string, body: unknown) =>
    fetch(`${emulator.url}/api/v1/${path}`, {
      method: 'POST',
      headers: { 'x-api-key': emulator.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const sizes = { defquota: 1, maxquota: 1, quota: 1, mailboxes: 1, aliases: 1, active: 1 }
  await call('add/domain', { domain: name, description: 'theirs', ...sizes })
  const headers = { 'x-api-key': emulator.apiKey }
  const keyOf = async () =>
    (
      (await (await fetch(`${emulator.url}/api/v1/get/dkim/${name}`, { headers })).json()) as {
        pubkey: string
      }
    ).pubkey
  const theirs = await keyOf()
  await call('delete/domain', [name])
  await driver.ensureDomain(newClaim(name), signal)
  assert.notEqual(await keyOf(), theirs)
})

test('a domain of somebody else’s is left alone, and so is its key', async ({ signal }) => {
  const name = `c${++count}.example`
  await fetch(`${emulator.url}/api/v1/add/domain`, {
    method: 'POST',
    headers: { 'x-api-key': emulator.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ domain: name, description: 'by hand', active: 1 }),
  })
  await assert.rejects(driver.ensureDomain(newClaim(name), signal), { kind: 'conflict' })
  await driver.removeDomain(newClaim(name), signal)
  assert.ok(emulator.holdings().domains.includes(name))
  assert.ok(emulator.holdings().dkim.includes(name))
})

test('a domain that somebody switched off is switched on again, with its sizes as they were', async ({
  signal,
}) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  const headers = { 'x-api-key': emulator.apiKey, 'content-type': 'application/json' }
  const shown = async () => {
    const answer = await fetch(`${emulator.url}/api/v1/get/domain/${claim.name}`, { headers })
    return (await answer.json()) as Record<string, unknown>
  }
  const before = await shown()
  await fetch(`${emulator.url}/api/v1/edit/domain`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ items: [claim.name], attr: { active: 0 } }),
  })
  assert.equal((await shown()).active, 0)
  await driver.ensureDomain(claim, signal)
  assert.deepEqual({ ...(await shown()), modified: null }, { ...before, modified: null })
})

test("another domain's data is not acted upon", async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  emulator.faults.forger = (answer, { target }) => {
    if (!target.includes('get/domain/')) return answer
    return { ...answer, json: { ...Object(answer.json), domain_name: 'another.example' } }
  }
  const trouble = { kind: 'unavailable', message: "Mailcow answered with another domain's data." }
  await assert.rejects(driver.ensureDomain(claim, signal), trouble)
  await assert.rejects(driver.removeDomain(claim, signal), trouble)
  assert.ok(emulator.holdings().domains.includes(claim.name))
})

test('webmail is never restarted', async ({ signal }) => {
  await driver.ensureDomain(newClaim(), signal)
  for (const { body } of asked('add/domain')) assert.equal(JSON.parse(body).restart_sogo, 0)
})

test('a domain is removed with an alias that points elsewhere', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  await fetch(`${emulator.url}/api/v1/add/alias`, {
    method: 'POST',
    headers: { 'x-api-key': emulator.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({
      address: `info@${claim.name}`,
      goto: 'kim@elsewhere.example',
      active: 1,
    }),
  })
  await driver.removeDomain(claim, signal)
  const { domains, aliases } = emulator.holdings()
  assert.ok(!domains.includes(claim.name))
  assert.ok(!aliases.some((alias) => alias.endsWith(claim.name)))
})

test('the refusals of a full domain are sentences', async ({ signal }) => {
  const claim = newClaim()
  const small = driverWith({ mailboxes: 10, mailbox_mib: 1 })
  await small.ensureDomain(claim, signal)
  for (let n = 0; n < 10; n++) await small.ensureMailbox(claim, `box${n}`, signal)
  assert.deepEqual(await small.ensureMailbox(claim, 'more', signal), {
    reason: 'refused',
    message: 'Mailcow refuses: the domain has as many mailboxes as it may.',
  })
})

test('its own host name is refused with a sentence', async ({ signal }) => {
  await assert.rejects(driver.ensureDomain(newClaim('mail.mailcow.test'), signal), {
    kind: 'rejected',
    message: 'Mailcow refuses: the name is its own host name.',
  })
})

test('a wrong key is tried once, for it gets our address banned', async ({ signal }) => {
  const stranger = driverWith({ api_key: 'WRONG-KEY' })
  const before = emulator.failedLogins
  for (let turn = 0; turn < 5; turn++) {
    await assert.rejects(stranger.ensureDomain(newClaim(), signal), { kind: 'unauthorized' })
  }
  assert.equal(emulator.failedLogins, before + 1)
})

test('of many that come at once, one tries a wrong key', async ({ signal }) => {
  const stranger = driverWith({ api_key: 'WRONG-KEY' })
  const before = emulator.failedLogins
  const passes = Array.from({ length: 32 }, () => stranger.ensureDomain(newClaim(), signal))
  const ends = await Promise.allSettled(passes)
  assert.ok(ends.every(({ status }) => status === 'rejected'))
  assert.equal(emulator.failedLogins, before + 1)
})

test('a key that may only read is told from one that is wrong, and goes on reading', async ({
  signal,
}) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  const reader = driverWith({ api_key: emulator.readOnlyApiKey })
  await assert.rejects(reader.ensureDomain(newClaim(), signal), {
    kind: 'forbidden',
    message: 'Mailcow denies us the right to this.',
  })
  assert.deepEqual(await reader.listMailboxes(claim, signal), [])
})

const call = (path: string, body: unknown) =>
  fetch(`${emulator.url}/api/v1/${path}`, {
    method: 'POST',
    headers: { 'x-api-key': emulator.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

test('domains that are removed at once leave nothing, though parallel deletes deadlock', async ({
  signal,
}) => {
  const claims = Array.from({ length: 12 }, () => newClaim())
  for (const claim of claims) {
    await driver.ensureDomain(claim, signal)
    for (const localpart of ['kim', 'lea']) await driver.ensureMailbox(claim, localpart, signal)
  }
  emulator.inside.deadlocks.areOn = true
  try {
    await Promise.all(claims.map((claim) => driver.removeDomain(claim, signal)))
  } finally {
    emulator.inside.deadlocks.areOn = false
  }
  const held = JSON.stringify(emulator.holdings())
  for (const { name } of claims) assert.ok(!held.includes(name), name)
})

test('a write that is answered with nothing is trouble of theirs, and no wrong key', async ({
  signal,
}) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  await driver.ensureMailbox(claim, 'kim', signal)
  emulator.faults.add({ kind: 'empty', about: 'delete/mailbox' })
  await assert.rejects(driver.removeDomain(claim, signal), {
    kind: 'unavailable',
    message: 'Mailcow answered nothing.',
  })
  await driver.removeDomain(claim, signal)
  assert.ok(!emulator.holdings().domains.includes(claim.name))
})

test('a look that is answered with nothing once is taken again', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  emulator.faults.add({ kind: 'empty', about: 'get/mailbox' })
  assert.deepEqual(await driver.listMailboxes(claim, signal), [])
})

test('what is left of a mailbox fails no list, and goes with its domain', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  for (const localpart of ['kim', 'lea']) await driver.ensureMailbox(claim, localpart, signal)
  emulator.inside.broken.add(`kim@${claim.name}`)
  assert.deepEqual(await driver.listMailboxes(claim, signal), ['lea'])
  await driver.removeDomain(claim, signal)
  assert.ok(!emulator.holdings().domains.includes(claim.name))
  assert.ok(!emulator.holdings().mailboxes.some((address) => address.endsWith(claim.name)))
})

test('what is left of a mailbox goes with the mailbox, too', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  await driver.ensureMailbox(claim, 'kim', signal)
  emulator.inside.broken.add(`kim@${claim.name}`)
  await driver.removeMailbox(claim, 'kim', signal)
  assert.ok(!emulator.holdings().mailboxes.includes(`kim@${claim.name}`))
})

test('a name that is an alias of another domain is a conflict, and its removal is done', async ({
  signal,
}) => {
  const [target, claim] = [newClaim(), newClaim()]
  await driver.ensureDomain(target, signal)
  emulator.inside.aliasDomains.set(claim.name, target.name)
  await assert.rejects(driver.ensureDomain(claim, signal), {
    kind: 'conflict',
    message: `At Mailcow, ${claim.name} is an alias of another domain.`,
  })
  await driver.removeDomain(claim, signal)
  assert.ok(emulator.holdings().domains.includes(target.name))
})

test('a domain is removed with the rooms in it', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  emulator.inside.resources.set(`room@${claim.name}`, claim.name)
  emulator.inside.resources.set('room@elsewhere.example', 'elsewhere.example')
  await driver.removeDomain(claim, signal)
  assert.ok(!emulator.holdings().domains.includes(claim.name))
  assert.deepEqual([...emulator.inside.resources.keys()], ['room@elsewhere.example'])
})

test('a mailbox that is switched off at Mailcow is switched on again', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  await driver.ensureMailbox(claim, 'kim', signal)
  const address = `kim@${claim.name}`
  await call('edit/mailbox', { items: [address], attr: { active: 0 } })
  assert.equal(await driver.ensureMailbox(claim, 'kim', signal), undefined)
  const headers = { 'x-api-key': emulator.apiKey }
  const answer = await fetch(`${emulator.url}/api/v1/get/mailbox/${address}`, { headers })
  assert.equal(((await answer.json()) as { active: number }).active, 1)
})

test('an address that is an alias already is refused with a sentence', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  await call('add/alias', { address: `info@${claim.name}`, goto: 'a@b.example', active: 1 })
  assert.deepEqual(await driver.ensureMailbox(claim, 'info', signal), {
    reason: 'refused',
    message: 'Mailcow refuses: the address is an alias already.',
  })
})

test('the removal of what was refused at the beginning is done', async ({ signal }) => {
  const claim = newClaim('mail.mailcow.test')
  await assert.rejects(driver.ensureDomain(claim, signal), { kind: 'rejected' })
  await driver.removeDomain(claim, signal)
  const odd = newClaim('not_a_name')
  await assert.rejects(driver.ensureDomain(odd, signal), { kind: 'rejected' })
  await driver.removeDomain(odd, signal)
})

test('many mailboxes are removed a few at a time', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureDomain(claim, signal)
  for (let n = 0; n < 12; n++) await driver.ensureMailbox(claim, `box${n}`, signal)
  emulator.calls.length = 0
  await driver.removeDomain(claim, signal)
  const sizes = asked('delete/mailbox').map(({ body }) => JSON.parse(body).length)
  assert.deepEqual(sizes, [5, 5, 2])
})

// biome-ignore format: a table
const NONSENSE = [
  ['html',  'unavailable',  'Mailcow answered with something that is not JSON.'],
  ['half',  'unavailable',  'Mailcow answered with something that is not JSON.'],
  ['broken', 'unavailable', 'Mailcow is out of order: it answered 503.'],
  ['lost',  'unavailable',  'Mailcow could not be reached.'],
  ['html_404', 'unavailable', 'Mailcow answered 404 with something that is not JSON.'],
  ['empty_404', 'unavailable', 'Mailcow answered 404 with nothing.'],
  ['other_404', 'unavailable', 'Mailcow answered 404 unexpectedly.'],
  ['throttled', 'throttled', 'Mailcow has had enough requests for now.'],
] as const

for (const [kind, error, message] of NONSENSE) {
  test(`an answer that is ${kind} is ${error}, and no "no"`, async ({ signal }) => {
    const claim = newClaim()
    await driver.ensureDomain(claim, signal)
    emulator.faults.add({ kind, about: claim.name })
    await assert.rejects(driverWith().listMailboxes(claim, signal), {
      name: 'DriverError',
      kind: error,
      message,
    })
    assert.deepEqual(await driver.listMailboxes(claim, signal), [])
  })
}
