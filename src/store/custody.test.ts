import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { testStore } from '../../test/store.ts'
import { newId } from '../ids.ts'
import { custodyStore } from './custody.ts'
import { placementStore } from './placements.ts'

const ROUNDS = 150
const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db } = store
const custody = custodyStore(store, 'live', { own: [], all: [] })

/** A domain with a claim on the name, in a workspace of its own. */
async function claimOn(name: string) {
  const [workspace, id, claimId] = [newId(), newId(), newId()]
  await sql`insert into workspaces (id, name) values (${workspace}, 'one of two')`.execute(db)
  await sql`
    insert into domains (id, workspace_id, world, name, status, zone_driver, sender_driver, mailbox_driver)
    values (${id}, ${workspace}, 'live', ${name}, 'DNS_PENDING', 'embedded', 'embedded', 'embedded')`.execute(
    db,
  )
  await sql`
    insert into claims (id, domain_id, workspace_id, world, name)
    values (${claimId}, ${id}, ${workspace}, 'live', ${name})`.execute(db)
  const row = await db
    .selectFrom('domains')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return { row, claim: { claimId, name, nameservers: [] } }
}

test('one claim goes while another takes its name, and neither waits for the other in vain', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const [first, second] = [await claimOn(`n${round}.test`), await claimOn(`n${round}.test`)]
    await custody.confirm(first.claim)
    const { row, claim } = first
    const taken = { id: row.id, epoch: row.epoch, wake: row.wake, failures: 0 }
    const placements = placementStore(store, taken, row, claim.claimId, new Set())
    await Promise.all([placements.recordDomainRemoved(), custody.confirm(second.claim)])
    assert.equal(await custody.holds(second.claim), true)
    assert.equal(await custody.holds(first.claim), false)
  }
})
