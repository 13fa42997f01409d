import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeEndpoint } from '#names/ip.ts'
import { temporaryDirectory } from '../../test/directories.ts'
import { ask } from '../../test/dns.ts'
import { type Nameserver, startNameserver, type ZoneFeed } from './nameserver.ts'
import { PAYLOAD_FORMAT, type ServedName } from './served-name.ts'
import { ZoneLog } from './zone-log/zone-log.ts'

const zoneOf = (name: string, address: string): ServedName => ({
  name,
  waiting: [],
  zone: {
    apex: `${name}.`,
    nameservers: ['ns1.pool.test.', 'ns2.pool.test.'],
    serial: 1,
    rrsets: [{ name: `${name}.`, type: 'A', ttl: 60, data: [address] }],
  },
})

/** A database: which names changed in which transaction. */
function databaseOf(identity: string, rows: readonly (readonly [ServedName, changed: number])[]) {
  const read: string[] = []
  const woken: string[] = []
  const feed: ZoneFeed = {
    changed: async (mark, { after }) => ({
      names: rows.filter(([, at]) => after === '' && at >= Number(mark)).map(([{ name }]) => name),
      mark: String(Math.max(0, ...rows.map(([, at]) => at)) + 1),
      database: identity,
    }),
    async read(names) {
      read.push(...names)
      const found = (name: string) => rows.find(([fed]) => fed.name === name)?.[0]
      return names.map((name) => found(name) ?? { name, zone: undefined, waiting: [] })
    },
    onChange: () => ({ [Symbol.dispose]: () => undefined }),
    wake: async (ids) => void woken.push(...ids),
  }
  return { feed, read, woken }
}

async function start(directory: string, opened: AsyncDisposableStack): Promise<Nameserver> {
  const onError = assert.ifError
  const log = opened.use(
    new ZoneLog({
      path: join(directory, 'zones.log'),
      meta: PAYLOAD_FORMAT,
      now: () => 0,
      onError,
    }),
  )
  const listen = [{ address: '127.0.0.1', port: 0 }]
  return opened.use(await startNameserver({ listen, platform: [], log, onError }))
}

const addressOf = async (nameserver: Nameserver, name: string): Promise<unknown> => {
  const { rcode, answers } = await ask(writeEndpoint(nameserver.listeners[0]!), name, 'A')
  return answers[0]?.data ?? rcode
}

test('without zones of before, it listens once it has read them', async () => {
  await using directory = await temporaryDirectory()
  await using opened = new AsyncDisposableStack()
  const nameserver = await start(directory.path, opened)
  assert.deepEqual(nameserver.listeners, [])
  const away = { ...databaseOf('one', []).feed, changed: () => Promise.reject(new Error('away')) }
  await assert.rejects(nameserver.follow(away), { message: 'away' })
  assert.deepEqual(nameserver.listeners, [])
  const { feed } = databaseOf('one', [[zoneOf('a.test', '192.0.2.1'), 1]])
  opened.use(await nameserver.follow(feed))
  assert.equal(await addressOf(nameserver, 'a.test'), '192.0.2.1')
})

test('with zones of before, it answers at once, and reads what has changed since', async () => {
  await using directory = await temporaryDirectory()
  const [a, b] = [zoneOf('a.test', '192.0.2.1'), zoneOf('b.test', '192.0.2.2')]
  {
    await using opened = new AsyncDisposableStack()
    const nameserver = await start(directory.path, opened)
    opened.use(
      await nameserver.follow(
        databaseOf('one', [
          [a, 1],
          [b, 2],
        ]).feed,
      ),
    )
  }
  await using opened = new AsyncDisposableStack()
  const nameserver = await start(directory.path, opened)
  assert.equal(await addressOf(nameserver, 'a.test'), '192.0.2.1')
  const { feed, read } = databaseOf('one', [
    [a, 1],
    [zoneOf('b.test', '192.0.2.3'), 3],
  ])
  await using _ = await nameserver.follow(feed)
  while ((await addressOf(nameserver, 'b.test')) !== '192.0.2.3');
  assert.deepEqual(read, ['b.test'])
})

test('zones of before that another database does not have go', async () => {
  await using directory = await temporaryDirectory()
  const rows = ['a.test', 'b.test'].map((name) => [zoneOf(name, '192.0.2.1'), 1] as const)
  {
    await using opened = new AsyncDisposableStack()
    const nameserver = await start(directory.path, opened)
    opened.use(await nameserver.follow(databaseOf('one', rows).feed))
  }
  await using opened = new AsyncDisposableStack()
  const nameserver = await start(directory.path, opened)
  await using _ = await nameserver.follow(databaseOf('two', rows.slice(0, 1)).feed)
  while ((await addressOf(nameserver, 'b.test')) !== 'REFUSED');
  assert.equal(await addressOf(nameserver, 'a.test'), '192.0.2.1')
})

test('a name that waits for a query is woken, of before or not, once there is a database', async () => {
  await using directory = await temporaryDirectory()
  const waiting = { ...zoneOf('a.test', '192.0.2.1'), waiting: ['the domain'] }
  const { feed, woken } = databaseOf('one', [[waiting, 1]])
  {
    await using opened = new AsyncDisposableStack()
    opened.use(await (await start(directory.path, opened)).follow(feed))
  }
  await using opened = new AsyncDisposableStack()
  const nameserver = await start(directory.path, opened)
  await addressOf(nameserver, 'a.test')
  assert.deepEqual(woken, [])
  await using _ = await nameserver.follow(feed)
  while (woken.length === 0) await addressOf(nameserver, 'a.test')
  assert.deepEqual(woken, ['the domain'])
})
