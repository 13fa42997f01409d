import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { after, beforeEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { Client, type ClientConfig } from 'pg'
import { openDatabase } from '#store/database.ts'
import { until } from '../../test/client.ts'
import { testDatabase } from '../../test/database.ts'
import { type Doorbell, openDoorbell } from './doorbell.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())
const { connection } = opened.use(await testDatabase())
const db = openDatabase(connection, { onError: () => undefined })
opened.defer(() => db.destroy())

let errors: unknown[]
beforeEach(() => {
  errors = []
})

const open = (to: ClientConfig = connection): Promise<Doorbell> =>
  openDoorbell(db, to, (error) => errors.push(error))

/** What a bell heard of some topics, in order. */
function listen(bell: Doorbell, ...topics: string[]): string[] {
  const heard: string[] = []
  for (const topic of topics) bell.on(topic, () => heard.push(topic))
  return heard
}

const untilHeard = (heard: readonly string[], count: number) =>
  until(
    async () => heard.length,
    (length) => length >= count,
    5000,
  )

/** The backends that listen in this database. */
async function listeners(): Promise<number[]> {
  const { rows } = await sql<{ pid: number }>`
    select pid from pg_stat_activity where datname = current_database() and query like 'listen %'`.execute(
    db,
  )
  return rows.map(({ pid }) => pid)
}

async function terminateListeners(): Promise<void> {
  for (const pid of await listeners()) await sql`select pg_terminate_backend(${pid})`.execute(db)
}

/** A while in which a ring that should not be heard would have been. */
const A_WHILE_MS = 150

describe('a ring', () => {
  test('is heard by those who listen to its topic, in this process and in others', async () => {
    await using here = await open()
    await using there = await open()
    const [mine, others] = [listen(here, 'a', 'b'), listen(there, 'a', 'b')]
    here.ring('a')
    await untilHeard(others, 1)
    await untilHeard(mine, 1)
    await delay(A_WHILE_MS)
    assert.deepEqual([mine, others], [['a'], ['a']])
  })

  test('is heard by everyone who listens to one topic', async () => {
    await using bell = await open()
    const heard = listen(bell, 'a', 'a', 'a')
    bell.ring('a')
    await untilHeard(heard, 3)
  })

  test('is not heard any more by who has left off, and others still hear it', async () => {
    await using bell = await open()
    const left: string[] = []
    const subscription = bell.on('a', () => left.push('a'))
    const heard = listen(bell, 'a')
    subscription[Symbol.dispose]()
    bell.ring('a')
    await untilHeard(heard, 1)
    assert.deepEqual(left, [])
  })

  test('is one with those of the same topic that come right after', async () => {
    await using bell = await open()
    const heard = listen(bell, 'a', 'b')
    for (let rings = 0; rings < 100; rings++) bell.ring('a')
    bell.ring('b')
    await untilHeard(heard, 2)
    await delay(A_WHILE_MS)
    assert.deepEqual(heard, ['a', 'b'])
    bell.ring('a')
    await untilHeard(heard, 3)
  })

  test('is heard in its own process at once, and those that follow are one', async () => {
    await using bell = await open()
    const heard = listen(bell, 'a')
    bell.ring('a')
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(heard, ['a'])
    for (let rings = 0; rings < 100; rings++) bell.ring('a')
    await delay(A_WHILE_MS)
    assert.deepEqual(heard, ['a', 'a'])
  })

  test('is one notification with those of other topics', async () => {
    const client = new Client(connection)
    const payloads: string[] = []
    client.on('notification', ({ payload }) => payloads.push(payload ?? ''))
    await client.connect()
    await client.query('listen mailstead')
    try {
      await using bell = await open()
      for (const topic of ['a', 'b', 'a', 'c']) bell.ring(topic)
      await until(
        async () => payloads.length,
        (length) => length > 0,
        5000,
      )
      await delay(A_WHILE_MS)
      assert.equal(payloads.length, 1)
      assert.match(payloads[0]!, /^a,b,c,@/)
    } finally {
      await client.end()
    }
  })

  test('is heard though a thousand others are rung with it', async () => {
    await using bell = await open()
    const topics = Array.from(
      { length: 1000 },
      (_, index) => `domain:${crypto.randomUUID()}-${index}`,
    )
    const heard = listen(bell, ...topics)
    for (const topic of topics) bell.ring(topic)
    await untilHeard(heard, 1000)
    assert.deepEqual(heard.toSorted(), topics.toSorted())
    assert.deepEqual(errors, [])
  })

  test('that cannot be sent is heard here, dropped for others, and told as an error', async () => {
    const away = openDatabase(
      { ...connection, database: 'not_there' },
      { onError: () => undefined },
    )
    await using bell = await openDoorbell(away, connection, (error) => errors.push(error))
    await using other = await open()
    const [heard, others] = [listen(bell, 'a'), listen(other, 'a')]
    bell.ring('a')
    await until(
      async () => errors.length,
      (length) => length === 1,
      5000,
    )
    assert.deepEqual([heard, others], [['a'], []])
    await away.destroy()
  })

  test('that is on its way arrives, though the bell and its database are closed meanwhile', async () => {
    await using there = await open()
    const heard = listen(there, 'a')
    const own = openDatabase(connection, { connections: 1, onError: (error) => errors.push(error) })
    const here = await openDoorbell(own, connection, (error) => errors.push(error))
    const busy = own.transaction().execute(() => delay(A_WHILE_MS))
    here.ring('a')
    await delay(A_WHILE_MS / 2)
    await here[Symbol.asyncDispose]()
    await own.destroy()
    await busy
    await untilHeard(heard, 1)
    assert.deepEqual(errors, [])
  })

  test('that was not sent yet, or comes later, is dropped in silence when the bell is closed', async () => {
    await using other = await open()
    const heard = listen(other, 'a', 'b')
    const [early, late] = [await open(), await open()]
    early.ring('a')
    for (const bell of [early, late]) await bell[Symbol.asyncDispose]()
    late.ring('b')
    await delay(A_WHILE_MS)
    assert.deepEqual([heard, errors], [[], []])
  })
})

describe('a lost connection', () => {
  test('is replaced, and everyone hears a ring for what was missed', async () => {
    await using bell = await open()
    const heard = listen(bell, 'a', 'b')
    await terminateListeners()
    await untilHeard(heard, 2)
    assert.deepEqual(heard, ['a', 'b'])
    assert.equal((await listeners()).length, 1)
    assert.ok(errors.length > 0)
    bell.ring('b')
    await untilHeard(heard, 3)
    await delay(A_WHILE_MS)
    assert.deepEqual(heard, ['a', 'b', 'b'])
  })

  test('is replaced again and again', async () => {
    await using bell = await open()
    const heard = listen(bell, 'a')
    for (let losses = 1; losses <= 3; losses++) {
      await terminateListeners()
      await untilHeard(heard, losses)
    }
    assert.equal((await listeners()).length, 1)
  })

  test('does not keep a ring from being heard elsewhere', async () => {
    await using bell = await open()
    await terminateListeners()
    await using other = await open()
    const heard = listen(other, 'a')
    bell.ring('a')
    await untilHeard(heard, 1)
  })

  test('is replaced by one connection, though it had to be tried more than once', async () => {
    const reach: ClientConfig = { ...connection }
    await using bell = await open(reach)
    const heard = listen(bell, 'a')
    Object.assign(reach, { host: '/nowhere' })
    await terminateListeners()
    await until(
      async () => errors.length,
      (length) => length >= 3,
      5000,
    )
    assert.deepEqual(heard, [])
    Object.assign(reach, { host: connection.host })
    await untilHeard(heard, 1)
    await delay(1000)
    assert.equal((await listeners()).length, 1)
    bell.ring('a')
    await untilHeard(heard, 2)
    await delay(A_WHILE_MS)
    assert.deepEqual(heard, ['a', 'a'])
  })
})

describe('an end', () => {
  test('closes the connection and rings no more', async () => {
    const bell = await open()
    const heard = listen(bell, 'a')
    await bell[Symbol.asyncDispose]()
    await until(listeners, (pids) => pids.length === 0, 5000)
    await using other = await open()
    other.ring('a')
    await delay(A_WHILE_MS)
    assert.deepEqual([heard, errors], [[], []])
  })

  test('while the connection is lost opens none', async () => {
    {
      await using _bell = await open()
      await terminateListeners()
      await until(
        async () => errors.length,
        (length) => length > 0,
        5000,
      )
    }
    await delay(1000)
    assert.deepEqual(await listeners(), [])
  })

  test('while another connection is being opened leaves none behind', async () => {
    await using path = await slowPath()
    {
      await using _bell = await open(path.connection)
      path.delayMs = 300
      await terminateListeners()
      await until(
        async () => path.opened,
        (count) => count === 2,
        5000,
      )
    }
    await delay(800)
    const left = await listeners()
    await terminateListeners() // A connection that is left keeps the process alive.
    assert.deepEqual(left, [])
  })

  test('before it began leaves nothing running', async () => {
    const told: unknown[] = []
    const nowhere = { ...connection, host: '/nowhere' }
    await assert.rejects(openDoorbell(db, nowhere, (error) => told.push(error)))
    const before = told.length
    await delay(1200)
    assert.equal(told.length, before)
    assert.deepEqual(await listeners(), [])
  })
})

/** A way to the server on which a new connection takes as long as is wanted. */
async function slowPath() {
  const sockets = new Set<Socket>()
  const server = createServer(async (near) => {
    path.opened++
    near.pause()
    sockets.add(near.on('error', () => undefined))
    await delay(path.delayMs)
    const far = connect(`${connection.host}/.s.PGSQL.${connection.port ?? 5432}`)
    sockets.add(far.on('error', () => undefined))
    near.pipe(far).pipe(near)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const path = {
    delayMs: 0,
    opened: 0,
    connection: { ...connection, host: '127.0.0.1', port: address.port },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
  return path
}
