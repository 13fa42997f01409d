import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { readServedNames } from '#runtime/roles/served-names.ts'
import { behindBy } from '#servers/dns/transfer/serial.ts'
import { testStore } from '../../test/store.ts'
import { newId } from '../ids.ts'
import { custodyStore } from './custody.ts'
import type { WorldName } from './tables.ts'
import { zoneStore } from './zones.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db } = store

/** A claim on the name whose zone holds a text. */
async function claimOn(name: string, text: string, world: WorldName = 'live') {
  const [workspace, id, claimId] = [newId(), newId(), newId()]
  const pair = [`${claimId}.ns.test`, 'kit.ns.test']
  await sql`insert into workspaces (id, name) values (${workspace}, 'one')`.execute(db)
  await sql`
    insert into domains (id, workspace_id, world, name, status, zone_driver, sender_driver, mailbox_driver)
    values (${id}, ${workspace}, ${world}, ${name}, 'DNS_PENDING', 'embedded', 'embedded', 'embedded')`.execute(
    db,
  )
  await sql`
    insert into claims (id, domain_id, workspace_id, world, name, nameservers)
    values (${claimId}, ${id}, ${workspace}, ${world}, ${name}, ${pair})`.execute(db)
  const claim = { claimId, name, nameservers: pair }
  const zones = zoneStore(store, world)
  const say = (data: string) =>
    zones.edit(claimId, () => [{ name: `${name}.`, type: 'TXT', ttl: 60, data: [data] }])
  await zones.create(claim)
  await say(text)
  return { claim, say, remove: () => zones.remove(claim) }
}

async function served(name: string) {
  const [found] = await readServedNames(db, [name])
  const { serial, rrsets, memberId } = found?.zone ?? {}
  return { serial, memberId, text: rrsets?.flatMap(({ data }) => data).join() }
}

test('the serial of a name rises with every change of what is served, whoever has the name', async () => {
  const name = 'serial.test'
  const custody = custodyStore(store, 'live', { own: [], all: [] })
  const first = await claimOn(name, 'first')
  const seen = [await served(name)]
  const note = async () => void seen.push(await served(name))
  await custody.confirm(first.claim)
  await note()
  for (let change = 0; change < 20; change++) await first.say(`first ${change}`)
  await note()
  const second = await claimOn(name, 'second')
  await custody.confirm(second.claim)
  await note()
  await first.remove()
  await note()
  await second.remove()
  await note()
  const third = await claimOn(name, 'third')
  await custody.confirm(third.claim)
  await note()

  assert.deepEqual(
    seen.map(({ text }) => text),
    ['', 'first', 'first 19', 'second', 'second', undefined, 'third'],
  )
  const serials = seen.flatMap(({ serial }) => serial ?? [])
  for (const [index, serial] of serials.slice(1).entries())
    assert.ok(behindBy(serial, serials[index]!), `${serial} after ${serials[index]}`)
})

test('a name that is added anew is another member of the catalog', async () => {
  const first = await claimOn('anew.test', 'x')
  const before = (await served('anew.test')).memberId
  await first.remove()
  await claimOn('anew.test', 'x')
  const now = (await served('anew.test')).memberId
  assert.ok(before && now)
  assert.notEqual(before, now)
})

test('secondaries are given nothing of the sandbox', async () => {
  await claimOn('sandboxed.test', 'x', 'sandbox')
  const { serial, memberId } = await served('sandboxed.test')
  assert.ok(serial !== undefined)
  assert.equal(memberId, undefined)
})

test('a serial goes around after 2^32', async () => {
  const { say } = await claimOn('around.test', 'x')
  await sql`update served_names set serial = ${2 ** 32 - 1} where name = 'around.test'`.execute(db)
  assert.equal((await served('around.test')).serial, 2 ** 32 - 1)
  await say('y')
  assert.equal((await served('around.test')).serial, 0)
})
