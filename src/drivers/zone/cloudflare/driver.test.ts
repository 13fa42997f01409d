import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, test } from 'node:test'
import { startCloudflareEmulator } from '../../../../emulators/cloudflare/emulator.ts'
import { callsTo } from '../../../../test/cloudflare.ts'
import { ask } from '../../../../test/dns.ts'
import { testTools } from '../../../../test/tools.ts'
import { zoneDriverConformance } from '../conformance.ts'
import type { ClaimRef, RRset, ZoneDriver } from '../contract.ts'
import { cloudflare } from './driver.ts'
import { excuses } from './excuses.ts'

const emulator = await startCloudflareEmulator({
  requestsPerFiveMinutes: 0,
  recordsPerZone: 1000,
  pageLimit: 50,
  subdomains: true,
})
after(() => emulator[Symbol.asyncDispose]())
const server = `${emulator.dns.address}:${emulator.dns.port}`

const driverWith = (more: object = {}, tools = testTools(), at = emulator) =>
  cloudflare.open(
    cloudflare.settings.parse({
      url: at.apiUrl,
      account_id: at.accountId,
      api_token: at.apiToken,
      ...more,
    }),
    tools,
  )
const tools = testTools()
const driver = driverWith({}, tools)

let count = 0
const newClaim = (name = `c${++count}.example`): ClaimRef => {
  return { claimId: randomUUID(), name, nameservers: [] }
}

zoneDriverConformance(
  'cloudflare',
  async () => {
    const claim = newClaim()
    return {
      driver,
      claim,
      rival: newClaim(claim.name),
      ask: (name, type) => ask(server, name, type),
      async [Symbol.asyncDispose]() {},
    }
  },
  excuses,
)

beforeEach(() => {
  emulator.faults.clear()
  emulator.calls.length = 0
})

const call = callsTo(emulator)

const zoneIdOf = async ({ name }: ClaimRef): Promise<string> =>
  (await call('GET', `/zones?name=${name}`))[0].id

/** By the eyes of a stranger's client: the zone, and the one record of this type. */
async function recordOf(claim: ClaimRef, type: string) {
  const zone = await zoneIdOf(claim)
  const [record] = await call('GET', `/zones/${zone}/dns_records?type=${type}`)
  return { zone, record }
}

const makeByHand = (name: string) =>
  call('POST', '/zones', { account: { id: emulator.accountId }, name, type: 'full' })

const txt = (name: string, ...data: string[]): RRset => ({ name, type: 'TXT', ttl: 300, data })

test('a zone whose making was lost is adopted, with the nameservers it got', async ({ signal }) => {
  for (const kind of ['lost_after', 'broken_after', 'half'] as const) {
    const claim = newClaim()
    emulator.faults.add({ kind, method: 'POST', about: `"name":"${claim.name}"` })
    await assert.rejects(driver.ensureZone(claim, signal), { kind: 'unavailable' })
    const { nameservers } = await driver.ensureZone(claim, signal)
    assert.deepEqual((await driver.ensureZone(claim, signal)).nameservers, nameservers)
    const stamp = await ask(server, `_mailstead.${claim.name}`, 'TXT')
    assert.equal(String(stamp.answers[0]?.data), `claim=${claim.claimId}`)
    assert.equal(emulator.holdings().zones.filter((name) => name === claim.name).length, 1)
  }
})

test('a zone that is made again has other nameservers, and the driver says so', async ({
  signal,
}) => {
  const claim = newClaim()
  const first = await driver.ensureZone(claim, signal)
  await driver.removeZone(claim, signal)
  assert.notDeepEqual(await driver.ensureZone(claim, signal), first)
})

test('a zone that another account holds is a conflict with a sentence', async ({ signal }) => {
  const claim = newClaim()
  emulator.otherAccountHolds(claim.name)
  await assert.rejects(driver.ensureZone(claim, signal), {
    kind: 'conflict',
    message: 'Cloudflare refuses: it has the zone already, perhaps in another account.',
  })
})

test('a zone that somebody made after our making was refused is theirs', async ({ signal }) => {
  const claim = newClaim()
  emulator.faults.add({ kind: 'throttled', method: 'POST', about: claim.name })
  const own = testTools()
  await assert.rejects(driverWith({}, own).ensureZone(claim, signal), { kind: 'throttled' })
  await makeByHand(claim.name)
  const later = driverWith({}, { ...testTools(), notes: own.notes })
  await assert.rejects(later.ensureZone(claim, signal), { kind: 'conflict' })
  await later.removeZone(claim, signal)
  assert.ok(emulator.holdings().zones.includes(claim.name))
})

test('a zone made by hand is neither adopted nor removed', async ({ signal }) => {
  const claim = newClaim()
  await makeByHand(claim.name)
  await assert.rejects(driver.ensureZone(claim, signal), { kind: 'conflict' })
  await driver.removeZone(claim, signal)
  assert.ok(emulator.holdings().zones.includes(claim.name))
})

test('an rrset that grows keeps the records it has', async ({ signal }) => {
  const claim = newClaim()
  const name = `${claim.name}.`
  await driver.ensureZone(claim, signal)
  await driver.changeZone(claim, [{ put: txt(name, 'a', 'b') }], signal)
  emulator.calls.length = 0
  await driver.changeZone(claim, [{ put: txt(name, 'a', 'b', 'c') }], signal)
  const [batch] = emulator.calls.filter(({ target }) => target.endsWith('/batch'))
  const { deletes, posts } = JSON.parse(batch!.body)
  assert.deepEqual([deletes.length, posts.length], [0, 1])
})

test('a record that somebody switched to proxied is seen, and put back', async ({ signal }) => {
  const claim = newClaim()
  const name = `autoconfig.${claim.name}.`
  const put: RRset = { name, type: 'CNAME', ttl: 300, data: ['mail.example.net.'] }
  await driver.ensureZone(claim, signal)
  await driver.changeZone(claim, [{ put }], signal)
  const { zone, record } = await recordOf(claim, 'CNAME')
  await call('PATCH', `/zones/${zone}/dns_records/${record.id}`, { proxied: true })
  const [seen] = (await driver.readZone(claim, signal))!
  assert.notDeepEqual(seen, put)
  await driver.changeZone(claim, [{ put }], signal)
  assert.equal((await recordOf(claim, 'CNAME')).record.proxied, false)
  assert.deepEqual(await driver.readZone(claim, signal), [put])
})

test('what is there just so is not written again', async ({ signal }) => {
  const claim = newClaim()
  const put = txt(`${claim.name}.`, 'a')
  await driver.ensureZone(claim, signal)
  await driver.changeZone(claim, [{ put }], signal)
  emulator.calls.length = 0
  await driver.changeZone(claim, [{ put }], signal)
  assert.deepEqual(
    emulator.calls.filter(({ method }) => method !== 'GET'),
    [],
  )
})

test('many changes go in batches of what the plan allows', async ({ signal }) => {
  const claim = newClaim()
  const puts = Array.from({ length: 450 }, (_, index) => ({
    put: txt(`n${index}.${claim.name}.`, 'x'),
  }))
  await driver.ensureZone(claim, signal)
  emulator.calls.length = 0
  await driver.changeZone(claim, puts, signal)
  assert.equal(emulator.calls.filter(({ target }) => target.endsWith('/batch')).length, 3)
  assert.equal((await driver.readZone(claim, signal))?.length, 450)
})

test('a record that somebody else wrote meanwhile is a conflict, and nothing of the batch is taken', async ({
  signal,
}) => {
  const claim = newClaim()
  const name = `${claim.name}.`
  await driver.ensureZone(claim, signal)
  const rival = async () => {
    const record = { type: 'TXT', name: claim.name, content: '"x"', ttl: 300 }
    await call('POST', `/zones/${await zoneIdOf(claim)}/dns_records`, record)
  }
  let isFirst = true
  emulator.faults.witness = async ({ path }, when) => {
    if (!path.endsWith('/batch') || when === 'after' || !isFirst) return
    isFirst = false
    await rival()
  }
  const change = () =>
    driver.changeZone(claim, [{ put: txt(name, 'x') }, { put: txt(`other.${name}`, 'y') }], signal)
  await assert.rejects(change(), { kind: 'conflict' })
  emulator.faults.witness = undefined
  assert.deepEqual(await driver.readZone(claim, signal), [txt(name, 'x')])
  await change()
  assert.equal((await driver.readZone(claim, signal))?.length, 2)
})

test('a token that lost its rights does not make a zone look gone', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureZone(claim, signal)
  emulator.forbid()
  try {
    const refused = driverWith({}, { ...testTools(), notes: tools.notes })
    await assert.rejects(refused.removeZone(claim, signal), { kind: 'unauthorized' })
  } finally {
    emulator.allow()
  }
  assert.ok(emulator.holdings().zones.includes(claim.name))
  await driver.removeZone(claim, signal)
  assert.ok(!emulator.holdings().zones.includes(claim.name))
})

test('a revoked token is refused once, and then not tried again', async ({ signal }) => {
  emulator.revoke()
  try {
    const refused = driverWith()
    for (let turn = 0; turn < 4; turn++) {
      await assert.rejects(refused.ensureZone(newClaim(), signal), { kind: 'unauthorized' })
    }
    assert.equal(emulator.calls.length, 1)
  } finally {
    emulator.restore()
  }
})

test('of many that come at once, one tries a revoked token', async ({ signal }) => {
  emulator.revoke()
  try {
    const refused = driverWith()
    const passes = Array.from({ length: 32 }, () => refused.ensureZone(newClaim(), signal))
    const ends = await Promise.allSettled(passes)
    assert.ok(ends.every(({ status }) => status === 'rejected'))
    assert.equal(emulator.calls.length, 1)
  } finally {
    emulator.restore()
  }
})

test('a token that may not make zones goes on with those that are there', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureZone(claim, signal)
  const account_id = 'f'.repeat(32)
  const denied = driverWith({ account_id }, { ...testTools(), notes: tools.notes })
  await assert.rejects(denied.ensureZone(newClaim(), signal), {
    kind: 'forbidden',
    message: 'Cloudflare denies us the right to this.',
  })
  assert.deepEqual(await denied.readZone(claim, signal), [])
})

test('a zone that was deleted at Cloudflare is made again', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureZone(claim, signal)
  await call('DELETE', `/zones/${await zoneIdOf(claim)}`)
  assert.equal(await driver.readZone(claim, signal), undefined)
  await driver.ensureZone(claim, signal)
  assert.deepEqual(await driver.readZone(claim, signal), [])
})

test('the account rests before the shared budget is overdrawn', async ({ signal }) => {
  await using small = await startCloudflareEmulator({ requestsPerFiveMinutes: 160 })
  const frugal = driverWith({}, testTools(), small)
  let calls = 0
  await assert.rejects(
    async () => {
      for (; calls < 160; calls++) await frugal.readZone(newClaim(), signal)
    },
    { kind: 'throttled', message: "Cloudflare's budget of requests is used up for now." },
  )
  assert.ok(calls > 40 && calls <= 60, `${calls} calls`)
})

/** Works on 32 domains at once with each of the drivers, until all say why they cannot go on. */
async function exhaust(drivers: readonly ZoneDriver[], signal: AbortSignal): Promise<string[]> {
  const lookOn = async (each: ZoneDriver): Promise<string> => {
    for (;;) {
      const error = await each.readZone(newClaim(), signal).then(
        () => undefined,
        (trouble: Error) => trouble,
      )
      if (error) return error.message
    }
  }
  const workers = drivers.flatMap((each) => Array.from({ length: 32 }, () => lookOn(each)))
  return [...new Set(await Promise.all(workers))]
}

for (const processes of [1, 2, 3]) {
  test(`and so it does when ${processes} processes work on many domains at once each`, async ({
    signal,
  }) => {
    const limit = 300
    await using small = await startCloudflareEmulator({ requestsPerFiveMinutes: limit })
    const drivers = Array.from({ length: processes }, () => driverWith({}, testTools(), small))
    assert.deepEqual(await exhaust(drivers, signal), [
      "Cloudflare's budget of requests is used up for now.",
    ])
    const reserve = processes === 1 ? 100 : 1
    const { length } = small.calls
    assert.ok(length > 100 && length <= limit - reserve, `${length} calls`)
  })
}

test('who is throttled once is throttled everywhere, so nothing more is asked for a while', async ({
  signal,
}) => {
  const shaken = driverWith()
  emulator.faults.add({ kind: 'throttled' })
  for (let turn = 0; turn < 3; turn++) {
    await assert.rejects(shaken.readZone(newClaim(), signal), { kind: 'throttled' })
  }
  assert.equal(emulator.calls.length, 1)
})

test('a record that is gone meanwhile is a conflict, not done', async ({ signal }) => {
  const claim = newClaim()
  const name = `${claim.name}.`
  await driver.ensureZone(claim, signal)
  await driver.changeZone(claim, [{ put: txt(name, 'x') }], signal)
  let isFirst = true
  emulator.faults.witness = async ({ path }, when) => {
    if (!path.endsWith('/batch') || when === 'after' || !isFirst) return
    isFirst = false
    const rival = driverWith({}, { ...testTools(), notes: tools.notes })
    await rival.changeZone(claim, [{ drop: { name, type: 'TXT' } }], signal)
  }
  await assert.rejects(driver.changeZone(claim, [{ put: txt(name, 'y') }], signal), {
    kind: 'conflict',
  })
  emulator.faults.witness = undefined
})

test('a subdomain is refused with a sentence where the account cannot hold it', async ({
  signal,
}) => {
  await using free = await startCloudflareEmulator()
  await assert.rejects(
    driverWith({}, testTools(), free).ensureZone(newClaim('mail.acme.example'), signal),
    {
      kind: 'rejected',
      message:
        'Cloudflare refuses: it takes a subdomain as a zone of its own in Enterprise accounts only.',
    },
  )
})

// biome-ignore format: a table
const NONSENSE = [
  ['html',      'unavailable', 'Cloudflare answered with something that is not JSON.'],
  ['half',      'unavailable', 'Cloudflare answered with something that is not JSON.'],
  ['empty',     'unavailable', 'Cloudflare answered in a shape we do not know.'],
  ['broken',    'unavailable', 'Cloudflare is out of order: it answered 503.'],
  ['html_404',  'unavailable', 'Cloudflare answered 404 with something that is not JSON.'],
  ['empty_404', 'unavailable', 'Cloudflare answered 404 with nothing.'],
  ['other_404', 'unavailable', 'Cloudflare answered in a shape we do not know.'],
  ['lost',      'unavailable', 'Cloudflare could not be reached.'],
] as const

for (const [kind, error, message] of NONSENSE) {
  test(`an answer that is ${kind} is ${error}, and no "no"`, async ({ signal }) => {
    const claim = newClaim()
    const shaken = driverWith()
    await shaken.ensureZone(claim, signal)
    emulator.faults.add({ kind, method: 'GET' })
    await assert.rejects(shaken.readZone(claim, signal), {
      name: 'DriverError',
      kind: error,
      message,
    })
    assert.deepEqual(await shaken.readZone(claim, signal), [])
  })
}

for (const kind of ['html_404', 'empty_404', 'other_404'] as const) {
  test(`a proxy's ${kind} is not taken for a zone that is gone`, async ({ signal }) => {
    const claim = newClaim()
    await driver.ensureZone(claim, signal)
    for (const method of ['GET', 'DELETE']) {
      emulator.faults.add({ kind, method })
      await assert.rejects(driver.removeZone(claim, signal), { kind: 'unavailable' })
    }
    assert.ok(emulator.holdings().zones.includes(claim.name))
  })
}

test("another zone's data is not acted upon", async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureZone(claim, signal)
  emulator.faults.forger = (answer, { path }) =>
    /zones\/\w+$/.test(path)
      ? { ...answer, json: { ...Object(answer.json), result: ANOTHER } }
      : answer
  const trouble = { kind: 'unavailable', message: 'Cloudflare answered with another zone.' }
  await assert.rejects(driver.readZone(claim, signal), trouble)
  await assert.rejects(driver.removeZone(claim, signal), trouble)
  assert.ok(emulator.holdings().zones.includes(claim.name))
})

const ANOTHER = {
  id: 'another',
  name: 'another.example',
  status: 'active',
  name_servers: ['a.example', 'b.example'],
  created_on: '2026-11-01T12:00:00Z',
}

test('a path that leads nowhere shows no zone to be gone', async ({ signal }) => {
  const claim = newClaim()
  await driver.ensureZone(claim, signal)
  const own = testTools()
  await own.notes.write(claim.claimId, 'zone', 'no-identifier')
  await assert.rejects(driverWith({}, own).removeZone(claim, signal), {
    kind: 'unavailable',
    message: /^Cloudflare refuses: Could not route .*[(]7003[)]; No route for that URI [(]7000[)]/,
  })
})

test('a refusal without a reason is no "no"', async ({ signal }) => {
  emulator.faults.forger = (answer) => ({
    ...answer,
    status: 404,
    json: { success: false, errors: [], messages: [], result: null },
  })
  await assert.rejects(driver.readZone(newClaim(), signal), {
    kind: 'unavailable',
    message: 'Cloudflare refuses: it does not say why.',
  })
})

test('a TTL that Cloudflare would change is objected to', () => {
  for (const ttl of [1, 59, 86_401])
    assert.ok(driver.objectionTo({ ...txt('a.example.', 'x'), ttl }))
  for (const ttl of [60, 300, 86_400]) {
    assert.equal(driver.objectionTo({ ...txt('a.example.', 'x'), ttl }), undefined)
  }
})
