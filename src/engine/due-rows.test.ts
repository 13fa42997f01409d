import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, describe, test } from 'node:test'
import { sql } from 'kysely'
import { openDatabase } from '#store/database.ts'
import { DOMAINS, OUTGOING } from '#store/due-tables.ts'
import { testDatabase } from '../../test/database.ts'
import {
  finish,
  LEASE_MS,
  renewLeases,
  type Taken,
  takeDue,
  untilNextDue,
  wakeRow,
} from './due-rows.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())
const { connection } = opened.use(await testDatabase())
const db = openDatabase(connection, { onError: () => undefined })
opened.defer(() => db.destroy())

const WORKSPACE = randomUUID()
await sql`insert into workspaces (id, name) values (${WORKSPACE}, 'a workspace')`.execute(db)

beforeEach(() => sql`truncate outgoing_messages cascade`.execute(db))

type Row = { dueInMs?: number; leasedForMs?: number; state?: string }

/** Adds a row that is due, or will be, and gives its id. */
async function add({
  dueInMs = 0,
  leasedForMs = -1000,
  state = 'queued',
}: Row = {}): Promise<string> {
  const id = randomUUID()
  await sql`
    insert into outgoing_messages (id, claim_id, workspace_id, world, origin, account, author, recipient,
      recipient_domain, state, finished_at, next_at, lease_until)
    values (${id}, ${id}, ${WORKSPACE}, 'sandbox', 'test', 'embedded', 'a@b.test', 'c@d.test', 'd.test', ${state},
            ${state === 'queued' ? null : new Date()},
            now() + ${dueInMs} * interval '1 ms', now() + ${leasedForMs} * interval '1 ms')`.execute(
    db,
  )
  return id
}

async function addMany(count: number): Promise<void> {
  await sql`
    insert into outgoing_messages (id, claim_id, workspace_id, world, origin, account, author, recipient,
      recipient_domain)
    select gen_random_uuid(), gen_random_uuid(), ${WORKSPACE}, 'sandbox', 'test', 'embedded', 'a@b.test', 'c@d.test',
           'd.test'
      from generate_series(1, ${count})`.execute(db)
}

type Standing = {
  due_in_ms: number
  lease_ms: number
  epoch: string
  wake: string
  failures: number
}

async function standing(id: string): Promise<Standing> {
  const { rows } = await sql<Standing>`
    select extract(epoch from next_at - clock_timestamp())::float8 * 1000 as due_in_ms,
           extract(epoch from lease_until - clock_timestamp())::float8 * 1000 as lease_ms, epoch, wake, failures
      from outgoing_messages where id = ${id}`.execute(db)
  return rows[0]!
}

/** As if the time of the lease had passed. */
const expire = (id: string) =>
  sql`update outgoing_messages set lease_until = now() - interval '1 ms' where id = ${id}`.execute(
    db,
  )

const take = (limit = 10): Promise<Taken[]> => takeDue(db, OUTGOING, limit)
const takeOne = async (): Promise<Taken> => (await take(1))[0] ?? assert.fail('nothing is due')
const DONE = { afterMs: 60_000, failures: 0 }
const giveBack = (row: Taken, outcome = DONE) => finish(db, OUTGOING, row, outcome)

/** `assert.ok` with room for a slow machine. */
function assertAbout(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 2000, `${actual} is not about ${expected}`)
}

describe('taking', () => {
  test('leaves the rows that are not for this process, and does not wait for them', async () => {
    const [mine, others] = [await add(), await add()]
    await sql`update outgoing_messages set world = 'live' where id = ${others}`.execute(db)
    const which = sql`world = any(${['sandbox']})`
    const taken = await takeDue(db, OUTGOING, 10, { mine: which })
    assert.deepEqual(
      taken.map(({ id }) => id),
      [mine],
    )
    assert.equal((await untilNextDue(db, OUTGOING, 5000, which)) > 1000, true)
    assert.equal((await standing(others)).epoch, '0')
  })

  // biome-ignore format: a table
  const ROWS: [what: string, row: Row, isTaken: boolean][] = [
    ['a row that is due',                       {},                                     true],
    ['a row that is long due',                  { dueInMs: -86_400_000 },               true],
    ['a row whose lease has run out',           { leasedForMs: -1 },                    true],
    ['a row that is not due yet',               { dueInMs: 60_000 },                    false],
    ['a row that is taken',                     { leasedForMs: 60_000 },                false],
    ['a row whose work is done',                { state: 'sent' },                 false],
    ['a row that is neither due nor alive',     { dueInMs: 60_000, state: 'failed' },   false],
  ]

  for (const [what, row, isTaken] of ROWS) {
    test(`${isTaken ? 'takes' : 'leaves'} ${what}`, async () => {
      const id = await add(row)
      assert.deepEqual(
        (await take()).map((taken) => taken.id),
        isTaken ? [id] : [],
      )
    })
  }

  test('leases the row, raises its epoch, and tells how it stands', async () => {
    const id = await add()
    await sql`update outgoing_messages set failures = 3, wake = 5, epoch = 7`.execute(db)
    assert.deepEqual(await take(), [{ id, epoch: '8', wake: '5', failures: 3 }])
    const { lease_ms, epoch } = await standing(id)
    assertAbout(lease_ms, LEASE_MS)
    assert.equal(epoch, '8')
    assert.deepEqual(await take(), [])
  })

  test('takes the longest due first', async () => {
    const late = await add({ dueInMs: -1000 })
    const later = await add({ dueInMs: -5000 })
    const latest = await add({ dueInMs: -9000 })
    const first = await db.transaction().execute(async (tx) => {
      // An index gives the rows in this order whether it is asked for or not.
      for (const scan of ['indexscan', 'bitmapscan'])
        await sql.raw(`set local enable_${scan} = off`).execute(tx)
      return takeDue(tx, OUTGOING, 2)
    })
    assert.deepEqual(first.map(({ id }) => id).toSorted(), [later, latest].toSorted())
    assert.equal((await takeOne()).id, late)
  })

  test('takes no more than it was asked for, whatever the planner makes of it', async () => {
    await addMany(400)
    for (const joins of ['nestloop', 'hashjoin', 'mergejoin']) {
      const others = ['nestloop', 'hashjoin', 'mergejoin'].filter((each) => each !== joins)
      await db.transaction().execute(async (tx) => {
        for (const off of others) await sql.raw(`set local enable_${off} = off`).execute(tx)
        assert.equal((await takeDue(tx, OUTGOING, 10)).length, 10, joins)
        assert.equal((await takeDue(tx, OUTGOING, 1)).length, 1, joins)
      })
    }
    assert.equal((await take(500)).length, 400 - 33)
  })

  test('gives each row to one of many takers', async () => {
    await addMany(500)
    const taken: string[] = []
    const taker = async (limit: number) => {
      for (let rows = await take(limit); rows.length > 0; rows = await take(limit)) {
        taken.push(...rows.map(({ id }) => id))
        assert.ok(taken.length <= 500, 'a row was given twice')
      }
    }
    await Promise.all([1, 3, 7, 10, 20, 7, 3, 1].map(taker))
    // A taker that meets only rows others are about to take goes home early; the last one does not.
    taken.push(...(await take(500)).map(({ id }) => id))
    assert.equal(taken.length, 500)
    assert.equal(new Set(taken).size, 500)
  })

  test('leaves removed domains alone', async () => {
    const [workspace, alive, removed] = [randomUUID(), randomUUID(), randomUUID()]
    await db.insertInto('workspaces').values({ id: workspace, name: 'w' }).execute()
    for (const [id, removedAt] of [
      [alive, null],
      [removed, new Date()],
    ] as const) {
      await sql`
        insert into domains (id, workspace_id, world, name, zone_driver, sender_driver, mailbox_driver, removed_at)
        values (${id}, ${workspace}, 'sandbox', ${`${id}.test`}, 'e', 'e', 'e', ${removedAt})`.execute(
        db,
      )
    }
    assert.deepEqual(
      (await takeDue(db, DOMAINS, 10)).map(({ id }) => id),
      [alive],
    )
  })
})

describe('the lease', () => {
  test('that runs out frees the row for another taker', async () => {
    const id = await add()
    const first = await takeOne()
    await expire(id)
    const second = await takeOne()
    assert.equal(second.id, id)
    assert.equal(Number(second.epoch), Number(first.epoch) + 1)
  })

  test('is renewed for those who have it, and for no one else', async () => {
    const [kept, lost] = [await add(), await add()]
    const taken = await take()
    await expire(lost)
    const [other] = await take()
    await sql`update outgoing_messages set lease_until = now() + interval '1 s'`.execute(db)
    assert.deepEqual(await renewLeases(db, OUTGOING, taken), new Set([kept]))
    assertAbout((await standing(kept)).lease_ms, LEASE_MS)
    assert.ok((await standing(lost)).lease_ms < 1500)
    assert.deepEqual(await renewLeases(db, OUTGOING, [other!]), new Set([lost]))
  })

  test('is renewed for nobody where nothing is held', async () => {
    await add()
    assert.deepEqual(await renewLeases(db, OUTGOING, []), new Set())
    const nobodys = { id: randomUUID(), epoch: '1', wake: '0', failures: 0 }
    assert.deepEqual(await renewLeases(db, OUTGOING, [nobodys]), new Set())
  })

  test('of a row that was given back is not renewed', async () => {
    await add()
    const row = await takeOne()
    await giveBack(row, { afterMs: 0, failures: 0 })
    assert.deepEqual(await renewLeases(db, OUTGOING, [row]), new Set())
    assert.equal((await take()).length, 1)
  })
})

describe('giving back', () => {
  test('frees the row and makes it due when the outcome says', async () => {
    const id = await add()
    await giveBack(await takeOne(), { afterMs: 60_000, failures: 4 })
    const { due_in_ms, lease_ms, failures } = await standing(id)
    assertAbout(due_in_ms, 60_000)
    assert.ok(lease_ms < 0)
    assert.equal(failures, 4)
    assert.deepEqual(await take(), [])
  })

  test('at once makes it due at once', async () => {
    const id = await add()
    await giveBack(await takeOne(), { afterMs: 0, failures: 0 })
    assert.equal((await takeOne()).id, id)
  })

  test('makes the row due at once when it was woken since it was taken', async () => {
    const id = await add()
    const row = await takeOne()
    await wakeRow(db, OUTGOING, id)
    assert.deepEqual(await take(), [], 'it is still taken')
    await giveBack(row)
    const again = await takeOne()
    await giveBack(again)
    assert.deepEqual(await take(), [], 'one wake is one more look')
  })

  test('by a stale taker changes nothing', async () => {
    const id = await add()
    const stale = await takeOne()
    await expire(id)
    await takeOne()
    const before = await standing(id)
    await giveBack(stale, { afterMs: 0, failures: 99 })
    const { failures, lease_ms } = await standing(id)
    assert.equal(failures, before.failures)
    assert.ok(lease_ms > 0, 'the row is still the other’s')
  })
})

describe('waking', () => {
  test('makes a row due that was not, and no other', async () => {
    const [woken, asleep] = [await add({ dueInMs: 60_000 }), await add({ dueInMs: 60_000 })]
    await wakeRow(db, OUTGOING, woken)
    assert.deepEqual(
      (await take()).map(({ id }) => id),
      [woken],
    )
    assert.equal((await standing(asleep)).wake, '0')
  })

  test('does not put a row behind others that is due already', async () => {
    const id = await add({ dueInMs: -60_000 })
    await wakeRow(db, OUTGOING, id)
    assertAbout((await standing(id)).due_in_ms, -60_000)
  })

  test('is part of the caller’s transaction', async () => {
    const id = await add({ dueInMs: 60_000 })
    const undone = db.transaction().execute(async (tx) => {
      await wakeRow(tx, OUTGOING, id)
      throw new Error('undone')
    })
    await assert.rejects(undone, /undone/)
    assert.deepEqual(await take(), [])
    assert.equal((await standing(id)).wake, '0')
  })

  test('of a row that is not there does nothing', async () => {
    await wakeRow(db, OUTGOING, randomUUID())
  })
})

describe('the time until the next row is due', () => {
  // biome-ignore format: a table
  const WAITS: [what: string, rows: Row[], low: number, high: number][] = [
    ['is the limit where there is nothing',            [],                                              5000, 5000],
    ['is the limit where nothing is alive',            [{ state: 'failed' }],                           5000, 5000],
    ['is the limit where the next row is far',         [{ dueInMs: 60_000 }],                           5000, 5000],
    ['is nothing where a row is due',                  [{ dueInMs: -9000 }, { dueInMs: 4000 }],         0,    0],
    ['is that of the next row',                        [{ dueInMs: 4000 }, { dueInMs: 60_000 }],        1000, 4000],
    ['is that of the lease where the row is taken',    [{ dueInMs: -9000, leasedForMs: 4000 }],         1000, 4000],
    ['is that of the row where its lease ends before', [{ dueInMs: 4000, leasedForMs: 500 }],           1000, 4000],
  ]

  for (const [what, rows, low, high] of WAITS) {
    test(what, async () => {
      for (const row of rows) await add(row)
      const ms = await untilNextDue(db, OUTGOING, 5000)
      assert.ok(ms >= low && ms <= high, `${ms} is not from ${low} to ${high}`)
    })
  }
})
