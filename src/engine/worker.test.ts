import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { after, beforeEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type QueryExecutorProvider, sql } from 'kysely'
import { OUTGOING } from '#store/due-tables.ts'
import { until } from '../../test/client.ts'
import { testStore } from '../../test/store.ts'
import { LEASE_MS, LeaseLost, type Taken, takeDue, wakeRow } from './due-rows.ts'
import { type Outcome, startWorker, type WorkerOptions } from './worker.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db, doorbell, connection } = store

const TOPIC = 'outgoing-due'
const DONE: Outcome = { afterMs: 3_600_000, failures: 0 }

const WORKSPACE = randomUUID()
await sql`insert into workspaces (id, name) values (${WORKSPACE}, 'a workspace')`.execute(db)

let errors: unknown[]
beforeEach(async () => {
  errors = []
  await sql`truncate outgoing_messages cascade`.execute(db)
})

async function add(count = 1, dueInMs = 0): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID())
  await sql`
    insert into outgoing_messages (id, claim_id, workspace_id, world, origin, account, author, recipient,
      recipient_domain, next_at)
    select id, id, ${WORKSPACE}, 'sandbox', 'test', 'embedded', 'a@b.test', 'c@d.test', 'd.test', now() + ${dueInMs} * interval '1 ms'
      from unnest(${ids}::uuid[]) as new (id)`.execute(db)
  return ids
}

/** Rows that were looked at before, and are due again. */
async function addSeen(count: number): Promise<string[]> {
  const ids = await add(count)
  await sql`update outgoing_messages set epoch = 1 where id = any(${ids}::uuid[])`.execute(db)
  return ids
}

/** Leaves the event loop hardly a pause. */
function burning(): Disposable {
  const timer = setInterval(() => {
    const until = performance.now() + 19
    while (performance.now() < until);
  }, 20)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

type Standing = { due_in_ms: number; lease_ms: number | null; epoch: string; failures: number }

/** `lease_ms` is null where the row is free. */
async function standing(id: string): Promise<Standing> {
  const { rows } = await sql<Standing>`
    select extract(epoch from next_at - clock_timestamp())::float8 * 1000 as due_in_ms, epoch, failures,
           case when lease_until > clock_timestamp()
             then extract(epoch from lease_until - clock_timestamp())::float8 * 1000 end as lease_ms
      from outgoing_messages where id = ${id}`.execute(db)
  return rows[0]!
}

const start = (
  work: WorkerOptions['work'],
  options: Partial<WorkerOptions> = {},
): AsyncDisposable =>
  startWorker({
    db,
    doorbell,
    table: OUTGOING,
    topic: TOPIC,
    atOnce: 4,
    passLimitMs: 60_000,
    onError: (error) => errors.push(error),
    work,
    ...options,
  })

const untilTrue = (isSo: () => boolean | Promise<boolean>, limitMs = 5000) =>
  until(async () => isSo(), Boolean, limitMs)

/** Work that lasts until it is let go, or its signal is aborted. */
function slowWork() {
  const begun: Taken[] = []
  const reasons: unknown[] = []
  const held = Promise.withResolvers<void>()
  const work = async (row: Taken, signal: AbortSignal): Promise<Outcome> => {
    begun.push(row)
    const aborted = Promise.withResolvers<never>()
    signal.addEventListener('abort', () => {
      reasons.push(signal.reason)
      aborted.reject(signal.reason)
    })
    await Promise.race([held.promise, aborted.promise])
    return DONE
  }
  return { work, begun, reasons, letGo: held.resolve }
}

describe('a worker', () => {
  test('works each due row off once, though others work beside it', async () => {
    const ids = await add(150)
    const worked: string[] = []
    const work = async ({ id }: Taken): Promise<Outcome> => {
      worked.push(id)
      await delay(Math.random() * 5)
      return DONE
    }
    await using _one = start(work)
    await using _two = start(work)
    await using _three = start(work, { atOnce: 1 })
    await untilTrue(() => worked.length >= ids.length)
    await delay(100)
    assert.deepEqual(worked.toSorted(), ids.toSorted())
    assert.deepEqual(errors, [])
  })

  test('works no more rows at once than it may', async () => {
    await add(20)
    let [now, most, worked] = [0, 0, 0]
    await using _worker = start(async () => {
      now++
      most = Math.max(most, now)
      await delay(10)
      now--
      worked++
      return DONE
    })
    await untilTrue(() => worked === 20)
    assert.equal(most, 4)
  })

  test('keeps a place for rows nobody has looked at yet', async () => {
    const seen = await addSeen(10)
    const { work, begun, letGo } = slowWork()
    await using _worker = start(work)
    await untilTrue(() => begun.length === 3)
    const [fresh] = await add()
    doorbell.ring(TOPIC)
    await untilTrue(() => begun.length === 4)
    assert.equal(begun[3]!.id, fresh)
    assert.ok(begun.slice(0, 3).every(({ id }) => seen.includes(id)))
    letGo()
  })

  test('lets others wait for them while the process is busy, and not for ever', async () => {
    const seen = await addSeen(30)
    const begun: string[] = []
    using _busy = burning()
    await delay(200)
    await using _worker = start(async ({ id }) => {
      begun.push(id)
      await delay(20)
      return DONE
    })
    await untilTrue(() => begun.length > 0)
    const fresh = await add(8)
    doorbell.ring(TOPIC)
    await untilTrue(() => fresh.every((id) => begun.includes(id)))
    const before = begun.filter((id) => seen.includes(id)).length
    assert.ok(before < 15, `${before} others came first`)
    await untilTrue(() => seen.every((id) => begun.includes(id)), 20_000)
  })

  test('waits for the time of a row, and no longer', async () => {
    await add(1, 400)
    const began = performance.now()
    let workedAfterMs = 0
    await using _worker = start(async () => {
      workedAfterMs = performance.now() - began
      return DONE
    })
    await untilTrue(() => workedAfterMs > 0)
    assert.ok(workedAfterMs > 250 && workedAfterMs < 950, `${workedAfterMs} ms`)
  })

  test('hears the doorbell', async () => {
    let worked = 0
    await using _worker = start(async () => {
      worked++
      return DONE
    })
    let waitedMs = 0
    for (let ring = 1; ring <= 4; ring++) {
      await delay(50 * ring)
      await add()
      const began = performance.now()
      doorbell.ring(TOPIC)
      await untilTrue(() => worked === ring)
      waitedMs += performance.now() - began
    }
    // Without the bell, rows would be found by looking once in a second.
    assert.ok(waitedMs < 2000, `${waitedMs} ms`)
  })

  test('finds within a second what nobody rang for', async () => {
    let worked = 0
    await using _worker = start(async () => {
      worked++
      return DONE
    })
    await delay(50)
    await add()
    await untilTrue(() => worked === 1, 3000)
  })

  test('works a row again when its outcome says so', async () => {
    const [id] = await add()
    const failures: number[] = []
    await using _worker = start(async (row) => {
      failures.push(row.failures)
      return row.failures < 3
        ? { afterMs: 20, failures: row.failures + 1 }
        : { afterMs: 3_600_000, failures: 0 }
    })
    await untilTrue(async () => failures.length === 4 && (await standing(id!)).failures === 0)
    assert.deepEqual(failures, [0, 1, 2, 3])
    assert.ok((await standing(id!)).due_in_ms > 3_500_000)
  })

  test('works a row again at once when it was woken during the pass', async () => {
    const [id] = await add()
    let worked = 0
    await using _worker = start(async () => {
      if (++worked === 1) await wakeRow(db, OUTGOING, id!)
      return DONE
    })
    await untilTrue(() => worked === 2)
    await untilTrue(async () => (await standing(id!)).lease_ms === null)
    await delay(100)
    assert.equal(worked, 2)
  })

  test('goes on with other rows while one takes long', async () => {
    const { work, begun, letGo } = slowWork()
    const [slow] = await add()
    let others = 0
    await using _worker = start(async (row, signal) => {
      if (row.id === slow) return work(row, signal)
      others++
      return DONE
    })
    await untilTrue(() => begun.length === 1)
    await add(10)
    doorbell.ring(TOPIC)
    await untilTrue(() => others === 10)
    letGo()
  })

  test('gives a row back after an error, tells of it, and repeats it ever more slowly', async () => {
    const [id] = await add()
    await sql`update outgoing_messages set failures = 1`.execute(db)
    let worked = 0
    await using _worker = start(async () => {
      if (++worked === 1) throw new Error('a bug')
      return DONE
    })
    await untilTrue(async () => errors.length === 1 && (await standing(id!)).lease_ms === null)
    const { due_in_ms, failures } = await standing(id!)
    assert.match(String(errors[0]), /a bug/)
    assert.equal(failures, 2)
    assert.ok(due_in_ms > 1000 && due_in_ms < 2100, `due in ${due_in_ms} ms`)
    await untilTrue(() => worked === 2)
  })

  test('aborts a pass whose time is up', async () => {
    const { work, reasons } = slowWork()
    await add()
    await using _worker = start(work, { passLimitMs: 100 })
    await untilTrue(() => reasons.length === 1)
    assert.equal((reasons[0] as Error).name, 'TimeoutError')
    await untilTrue(() => errors.length === 1)
  })

  test('outlives the database', async () => {
    let worked = 0
    await using _worker = start(async () => {
      worked++
      return DONE
    })
    for (let loss = 1; loss <= 2; loss++) {
      // It is in the middle of a query when its connection goes.
      await db.transaction().execute(async (tx) => {
        await sql`lock table outgoing_messages`.execute(tx)
        await untilTrue(() => terminateWaiting(tx))
      })
      await untilTrue(() => errors.length >= loss)
      // The pool may still hold one that was ended, and has not heard of it.
      const isAdded = () =>
        add().then(
          () => true,
          () => false,
        )
      await untilTrue(isAdded)
      await untilTrue(() => worked === loss)
    }
  })
})

/** Ends the connections that wait for a lock, and says whether there was one. */
async function terminateWaiting(tx: QueryExecutorProvider): Promise<boolean> {
  const { rows } = await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`.execute(tx)
  return rows.length > 0
}

describe('a lease', () => {
  test('is kept while the work goes on; who lost it stops, and writes nothing', async () => {
    const { work, begun, reasons } = slowWork()
    const [id] = await add()
    await using _worker = start(work)
    await untilTrue(() => begun.length === 1)
    await delay(LEASE_MS / 3 + 700)
    const { lease_ms, epoch } = await standing(id!)
    assert.ok(lease_ms! > LEASE_MS - 1500, `${lease_ms} ms are left of it`)
    assert.equal(epoch, '1')
    // As if it had run out and another worker had taken the row.
    await sql`update outgoing_messages set epoch = epoch + 1, lease_until = now() + interval '1 h'`.execute(
      db,
    )
    await untilTrue(() => reasons.length === 1)
    assert.ok(reasons[0] instanceof LeaseLost)
    await delay(100)
    assert.deepEqual(errors, [])
    const after = await standing(id!)
    assert.ok(after.lease_ms! > 3_500_000 && after.due_in_ms <= 0)
  })

  test('that was lost unnoticed keeps the outcome from being written', async () => {
    const { work, begun, letGo } = slowWork()
    const [id] = await add()
    await using _worker = start(work)
    await untilTrue(() => begun.length === 1)
    await sql`update outgoing_messages set epoch = epoch + 1, lease_until = now() + interval '1 h'`.execute(
      db,
    )
    letGo()
    await delay(200)
    const { lease_ms, due_in_ms } = await standing(id!)
    assert.ok(lease_ms! > 3_500_000 && due_in_ms <= 0)
  })

  test('that the work itself found lost is no error', async () => {
    await add()
    let worked = 0
    await using _worker = start(async ({ id }) => {
      worked++
      throw new LeaseLost(id)
    })
    await untilTrue(() => worked === 1)
    await delay(100)
    assert.deepEqual(errors, [])
  })

  test('of a killed worker runs out, and the row is worked by another', async () => {
    const [id] = await add()
    const killed = spawn(process.execPath, ['--input-type=module', '-e', WORK_FOR_EVER], {
      env: { ...process.env, CONNECTION: JSON.stringify(connection) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said] = await once(killed.stdout, 'data')
    assert.equal(String(said), id)
    killed.kill('SIGKILL')
    await once(killed, 'exit')
    const left = (await standing(id!)).lease_ms!
    const began = performance.now()
    const worked: Taken[] = []
    await using _worker = start(async (row) => {
      worked.push(row)
      return DONE
    })
    await untilTrue(() => worked.length === 1, LEASE_MS + 3000)
    const waited = performance.now() - began
    assert.ok(waited > left - 500 && waited < left + 1500, `${waited} ms with ${left} ms left`)
    assert.equal(worked[0]?.epoch, '2')
  })
})

const WORK_FOR_EVER = `
  import { openDatabase } from '#store/database.ts'
  import { OUTGOING } from '#store/due-tables.ts'
  import { openDoorbell } from '#engine/doorbell.ts'
  import { startWorker } from '#engine/worker.ts'
  const connection = JSON.parse(process.env.CONNECTION)
  const onError = console.error
  const db = openDatabase(connection, { onError })
  startWorker({
    db, onError, table: OUTGOING, topic: 'x', atOnce: 1, passLimitMs: 60_000,
    doorbell: await openDoorbell(db, connection, onError),
    work({ id }) {
      process.stdout.write(id)
      return new Promise(() => undefined)
    },
  })`

describe('stopping', () => {
  test('aborts the work, waits for it, and gives the rows back at once, without an error', async () => {
    const { work, begun, reasons } = slowWork()
    await add(3)
    {
      await using _worker = start(work)
      await untilTrue(() => begun.length === 3)
    }
    assert.equal(reasons.length, 3)
    assert.deepEqual(errors, [])
    const next = await takeDue(db, OUTGOING, 10)
    assert.deepEqual(next.map(({ id }) => id).toSorted(), begun.map(({ id }) => id).toSorted())
    assert.ok(next.every(({ failures }) => failures === 0))
  })

  test('waits for work that does not mind the signal, and keeps its outcome', async () => {
    const [id] = await add()
    let [begun, ended] = [false, false]
    {
      await using _worker = start(async () => {
        begun = true
        await delay(300)
        ended = true
        return DONE
      })
      await untilTrue(() => begun)
    }
    assert.equal(ended, true)
    assert.ok((await standing(id!)).due_in_ms > 3_500_000)
  })

  test('takes no more rows', async () => {
    let worked = 0
    {
      await using _worker = start(async () => {
        worked++
        return DONE
      })
    }
    await add()
    doorbell.ring(TOPIC)
    await delay(200)
    assert.equal(worked, 0)
  })
})
