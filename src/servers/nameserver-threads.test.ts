import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { ask } from '../../test/dns.ts'
import { startNameserverRole } from '../../test/nameserver-role.ts'
import { queryOf } from './dns/dig.ts'
import type { ServedZone } from './dns/zone.ts'
import type { Nameserver, NameserverOptions, ZoneFeed } from './nameserver.ts'
import type { ServedName } from './served-name.ts'

const zone = (apex: string, text = 'here'): ServedZone => ({
  apex,
  nameservers: ['ns1.pool.test.'],
  serial: 1,
  rrsets: [{ name: apex, type: 'TXT', ttl: 60, data: [text] }],
})

const QUERY = queryOf('acme.test. TXT')

/** A feed that a test fills. */
class TestFeed {
  readonly woken: string[] = []
  readonly #names = new Map<string, ServedName>()
  #changed: string[] = []
  #heard: () => void = () => {}

  put(fed: ServedName): void {
    this.#names.set(fed.name, fed)
    this.#changed.push(fed.name)
    this.#heard()
  }

  async changed() {
    const names = this.#changed
    this.#changed = []
    return { names, mark: '1', database: 'one' }
  }

  async read(names: readonly string[]) {
    return names.map((name) => this.#names.get(name)!)
  }

  onChange(heard: () => void): Disposable {
    this.#heard = heard
    return { [Symbol.dispose]: () => {} }
  }

  async wake(ids: readonly string[]) {
    this.woken.push(...ids)
  }
}

const start = (
  options: Partial<NameserverOptions> = {},
  feed: ZoneFeed = new TestFeed(),
): Promise<Nameserver> => startNameserverRole(feed, { platform: [zone('acme.test.')], ...options })

const at = ({ listeners }: Nameserver) => `127.0.0.1:${listeners[0]!.port}`

for (const sockets of ['auto', 'dgram'] as const) {
  test(`${sockets}: zones of the platform and of the feed are served, and changes followed`, async () => {
    const feed = new TestFeed()
    feed.put({ name: 'fed.test', zone: zone('fed.test.', 'one'), waiting: [] })
    await using nameserver = await start({ sockets }, feed)
    const text = async (name: string) => (await ask(at(nameserver), name, 'TXT')).answers[0]?.data
    assert.deepEqual(String(await text('acme.test')), 'here')
    assert.deepEqual(String(await text('fed.test')), 'one')
    feed.put({ name: 'fed.test', zone: zone('fed.test.', 'two'), waiting: [] })
    while (String(await text('fed.test')) !== 'two');
    feed.put({ name: 'fed.test', zone: undefined, waiting: [] })
    while ((await ask(at(nameserver), 'fed.test', 'TXT')).rcode !== 'REFUSED');
  })

  test(`${sockets}: who waits for a name is woken by a query for it or below it`, async () => {
    const feed = new TestFeed()
    feed.put({ name: 'early.test', zone: undefined, waiting: ['a', 'b'] })
    feed.put({ name: 'late.test', zone: zone('late.test.'), waiting: ['c'] })
    feed.put({ name: 'done.test', zone: zone('done.test.'), waiting: [] })
    await using nameserver = await start({ sockets }, feed)
    for (const name of ['x.early.test', 'early.test', 'LATE.test', 'done.test']) {
      await ask(at(nameserver), name, 'A')
    }
    while (feed.woken.length < 3) await ask(at(nameserver), 'done.test', 'A')
    assert.deepEqual(feed.woken, ['a', 'b', 'c'])
  })

  test(`${sockets}: an rrset that cannot be served is reported, and the rest is served`, async () => {
    const feed = new TestFeed()
    const bad = { name: 'fed.test.', type: 'A', ttl: 60, data: ['256.0.0.1'] } as const
    const fed = zone('fed.test.')
    feed.put({ name: 'fed.test', zone: { ...fed, rrsets: [bad, ...fed.rrsets] }, waiting: [] })
    const told: unknown[] = []
    await using nameserver = await start({ sockets, onError: (error) => told.push(error) }, feed)
    assert.equal((await ask(at(nameserver), 'fed.test', 'TXT')).answers.length, 1)
    assert.match(String(told), /^Error: fed\.test\. A cannot be served, and is left out: /)
  })

  test(`${sockets}: UDP and TCP are answered while this thread stands still`, async () => {
    await using nameserver = await start({ sockets })
    const port = nameserver.listeners[0]!.port
    const script = `
      const dgram = require('node:dgram'), net = require('node:net')
      const query = Buffer.from('${QUERY.toString('hex')}', 'hex')
      const udp = dgram.createSocket('udp4').on('message', () => { answers |= 1; done() })
      let answers = 0
      const done = () => { if (answers === 3) { require('node:fs').writeSync(1, 'answered'); process.exit() } }
      setInterval(() => udp.send(query, ${port}, '127.0.0.1'), 100)
      net.connect(${port}, '127.0.0.1', function () { this.write(Buffer.concat([Buffer.of(0, query.length), query])) })
        .on('data', () => { answers |= 2; done() })`
    // Until the asker is gone, this thread stands still.
    const asker = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 20_000 })
    assert.equal(asker.stdout, 'answered')
  })
}
