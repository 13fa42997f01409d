/** What a pass writes once another worker has taken its domain: nothing. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { LeaseLost, type Taken, takeDue } from '#engine/due-rows.ts'
import { newDomain } from '../../test/domains-in-store.ts'
import { testStore } from '../../test/store.ts'
import { DOMAINS } from './due-tables.ts'
import { listEvents } from './events.ts'
import { writeFindings } from './findings.ts'
import { placementStore } from './placements.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db } = store

const FINDINGS = {
  conditions: new Map(),
  events: [{ type: 'domain.active', message: 'Active.' }] as const,
  delegation: undefined,
  status: 'ACTIVE' as const,
  activatedAt: undefined,
  failedAt: null,
  touchesName: true,
}

async function take(id: string): Promise<Taken> {
  await sql`update domains set next_at = now(), lease_until = '-infinity' where id = ${id}`.execute(
    db,
  )
  const taken = await takeDue(db, DOMAINS, 10, { mine: sql`id = ${id}` })
  return taken[0]!
}

async function bench(name: string) {
  const { domainId, claimId } = await newDomain(store, name)
  await sql`insert into placements (claim_id, stage, driver) values (${claimId}, 'zone_ready', 'embedded')`.execute(
    db,
  )
  const taken = await take(domainId)
  const row = await db
    .selectFrom('domains')
    .selectAll()
    .where('id', '=', domainId)
    .executeTakeFirstOrThrow()
  const placements = placementStore(store, taken, row, claimId, new Set(['zone_ready']))
  const claim = { claimId, name, nameservers: [] }
  const state = async () => {
    const { rows } = await sql`
      select d.status, d.removed_at, d.torn_down_at, p.removed_at as struck, h.claim_id as holder,
             (select count(*) from placements where claim_id = ${claimId}) as placements,
             (select serial from served_names where name = ${name}) as serial
        from domains d left join placements p on p.claim_id = ${claimId} and p.stage = 'zone_ready'
        left join holders h on h.claim_id = ${claimId} where d.id = ${domainId}`.execute(db)
    const events = await listEvents(store, domainId, { limit: 10, before: undefined })
    return { row: rows[0] as Record<string, unknown>, events: events.map(({ type }) => type) }
  }
  return { domainId, taken, placements, claim, state }
}

const WRITES = {
  'a look': ({ taken }) => writeFindings(db, taken, FINDINGS),
  'a note that something is about to be made': ({ placements, claim }) =>
    placements.recordPlacement(claim, 'mail_domain_ready'),
  'that something is removed': ({ placements, claim }) =>
    placements.recordStageRemoved(claim, 'zone_ready'),
  'that all but the zone is removed': ({ placements }) => placements.recordTornDown(),
  'that nothing is left': ({ placements }) => placements.recordDomainRemoved(),
} satisfies Record<string, (on: Awaited<ReturnType<typeof bench>>) => Promise<void>>

for (const [index, [what, write]] of Object.entries(WRITES).entries()) {
  test(`${what} is written by the taker, also late`, async () => {
    const on = await bench(`late-${index}.test`)
    await sql`update domains set lease_until = '-infinity' where id = ${on.domainId}`.execute(db)
    const before = await on.state()
    await write(on)
    assert.notDeepEqual(await on.state(), before)
  })

  test(`${what} is not written once another worker has the domain`, async () => {
    const on = await bench(`stale-${index}.test`)
    await take(on.domainId)
    const before = await on.state()
    await assert.rejects(write(on), LeaseLost)
    assert.deepEqual(await on.state(), before)
  })
}

test('the end of a domain frees its name, and is told', async () => {
  const { placements, state } = await bench('gone.test')
  await placements.recordDomainRemoved()
  const { row, events } = await state()
  assert.ok(row.removed_at)
  assert.equal(row.holder, null)
  assert.deepEqual(events, ['domain.removed'])
})
