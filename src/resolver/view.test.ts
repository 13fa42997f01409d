/** Which servers are asked what, when passes look at domains one after another and at once. */
import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import type { Answer } from 'dns-packet'
import { a, NXDOMAIN, ns, REFUSED, type Said, serve, soa } from '../../test/nameserver.ts'
import type { Reach } from './iterate.ts'
import type { Urgency } from './pace.ts'
import { LookupFailed } from './resolver.ts'
import { type DnsView, dnsViews } from './view.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

const [ROOT, TLD, NEW_TLD, OWN] = ['127.0.0.70', '127.0.0.71', '127.0.0.72', '127.0.0.73']
const PAIR = ['ns1.platform.net', 'ns2.platform.net']
const DAY_S = 86_400

/** What was asked of each address, in order. */
let log: [address: string, name: string, type: string][] = []
/** Changed by some tests; as it is in the world at the beginning of each. */
let world = { tldAddress: TLD, tldTtl: DAY_S, isTldRetired: false }

beforeEach(() => {
  log = []
  world = { tldAddress: TLD, tldTtl: DAY_S, isTldRetired: false }
})

const txt = (name: string, data: string): Answer => ({ name, type: 'TXT', ttl: 300, data })
const logged = (address: string, answer: (name: string, type: string) => Said) =>
  [
    address,
    (name: string, type: string) => {
      log.push([address, name, type])
      return answer(name, type)
    },
  ] as const

const port = await serve(
  opened,
  ROOT,
  0,
  logged(ROOT, (name) => {
    const tld = name.split('.').at(-1)!
    if (tld === 'nowhere') return { rcode: NXDOMAIN, authorities: [soa('', 60, 60)] }
    const authorities = [ns(tld, `a.${tld}`, world.tldTtl)]
    return {
      aa: false,
      authorities,
      additionals: [{ ...a(`a.${tld}`, world.tldAddress), ttl: world.tldTtl }],
    }
  })[1],
)
function registry(name: string): Said {
  const registered = name.split('.').slice(-2).join('.')
  if (registered === 'platform.net') {
    const authorities = [ns(registered, `ns1.${registered}`)]
    return { aa: false, authorities, additionals: [a(`ns1.${registered}`, OWN)] }
  }
  if (name.endsWith('absent.com')) return { rcode: NXDOMAIN, authorities: [soa('com', 60, 60)] }
  return { aa: false, authorities: PAIR.map((each) => ns(registered, each, 2)) }
}
await serve(
  opened,
  ...withPort(
    logged(TLD, (name) => (world.isTldRetired ? { aa: false, rcode: REFUSED } : registry(name))),
  ),
)
await serve(opened, ...withPort(logged(NEW_TLD, registry)))
await serve(
  opened,
  ...withPort(
    logged(OWN, (name, type) => {
      if (PAIR.includes(name)) return { answers: [a(name, OWN)] }
      return type === 'TXT' ? { answers: [txt(name, 'seen')] } : { answers: [ns(name, PAIR[0]!)] }
    }),
  ),
)

function withPort([address, answer]: ReturnType<typeof logged>) {
  return [address, port, answer] as const
}

const reach = (pace: Reach['pace'] = async () => {}): Reach => ({
  rootHints: [ROOT],
  dnsPort: () => port,
  mayConnect: () => true,
  pace,
})

/** A clock of its own for each, so that the TTLs of one test are not those of another. */
function views(pace?: Reach['pace']) {
  const clock = { ms: 0 }
  return { clock, view: dnsViews(reach(pace), () => clock.ms) }
}

const signal = AbortSignal.timeout(60_000)
const RECORDS = ['', '_dmarc.', 's1._domainkey.', '_smtp._tls.', 'autoconfig.']

/** What a pass over a healthy domain asks. */
async function pass({ observer, publicDns }: DnsView, name: string): Promise<void> {
  const { answers } = await observer.look(name, 'one', 'routine', signal)
  assert.deepEqual(answers[0]!.nameservers, PAIR)
  await observer.serving(name, PAIR, signal)
  for (const label of RECORDS) {
    const { records } = await publicDns.resolve(`${label}${name}`, 'TXT', signal)
    assert.deepEqual(
      records.map(({ data }) => data),
      ['seen'],
    )
  }
}

const outside = () => log.filter(([address]) => address !== OWN)

test('a pass asks the world outside once for the delegation, when the way is known', async () => {
  const { view } = views()
  await pass(view(), 'first.com')
  log = []
  await pass(view(), 'second.com')
  assert.deepEqual(outside(), [[TLD, 'second.com', 'NS']])
})

test('and the very first at most five times: root and registry, for the domain and for our nameservers', async () => {
  const { view } = views()
  await pass(view(), 'first.com')
  assert.ok(outside().length <= 5, JSON.stringify(outside()))
})

test('the delegation of a domain is asked for anew in every pass', async () => {
  const { view } = views()
  for (const _ of [1, 2, 3]) await pass(view(), 'again.com')
  assert.equal(
    outside().filter(([, name]) => name === 'again.com').length,
    4,
    'the first at the root',
  )
})

test('an absence is not remembered', async () => {
  const { view } = views()
  const one = view()
  for (const _ of [1, 2]) {
    await one.observer.look('absent.com', 'one', 'asked', signal)
    await one.publicDns.resolve('nowhere', 'A', signal)
  }
  assert.equal(log.filter(([, name]) => name === 'nowhere').length, 2)
  assert.equal(log.filter(([at, name]) => at === TLD && name === 'absent.com').length, 2)
})

// biome-ignore format: a table
const KEPT: [what: string, ttlS: number, afterS: number, asksRoot: boolean][] = [
  ['within its TTL',                           600,         599, false],
  ['after its TTL',                            600,         601, true],
  ['for a day at most',                        30 * DAY_S,  DAY_S + 1, true],
  ['without a TTL, not beyond its own pass',   0,           0, true],
]

for (const [what, ttlS, afterS, asksRoot] of KEPT) {
  test(`what the root delegates is known ${what}: ${asksRoot ? 'no more' : 'yes'}`, async () => {
    const { clock, view } = views()
    world.tldTtl = ttlS
    await pass(view(), 'kept.com')
    clock.ms = afterS * 1000
    log = []
    await pass(view(), 'kept.com')
    assert.equal(
      log.some(([address, name]) => address === ROOT && name === 'kept.com'),
      asksRoot,
    )
  })
}

test('where servers that were remembered say nothing useful, the walk begins at the root, once', async () => {
  const { view } = views()
  await pass(view(), 'before.com')
  world = { ...world, isTldRetired: true, tldAddress: NEW_TLD }
  log = []
  await pass(view(), 'after.com')
  const at = (address: string) =>
    log.filter(([asked, name]) => asked === address && name === 'after.com')
  assert.deepEqual(
    [TLD, ROOT, NEW_TLD].map((address) => at(address).length),
    [1, 1, 1],
  )
})

test('and where the new ones say nothing either, nobody could be asked', async () => {
  const { view } = views()
  await pass(view(), 'before.com')
  world.isTldRetired = true
  log = []
  await assert.rejects(view().publicDns.resolve('after.com', 'TXT', signal), LookupFailed)
  assert.deepEqual(
    log.map(([address]) => address),
    [TLD, ROOT, TLD],
  )
})

test('passes that look for the same registry at once ask the root once', async () => {
  const { view } = views()
  const names = Array.from({ length: 10 }, (_, index) => `at-once-${index}.org`)
  await Promise.all(names.map((name) => view().observer.look(name, 'one', 'routine', signal)))
  assert.equal(log.filter(([address]) => address === ROOT).length, 1)
})

test('where the answers show no cut, no pass waits for another again', async () => {
  const atOnce = { now: 0, most: 0 }
  const pace = async () => {
    atOnce.most = Math.max(atOnce.most, ++atOnce.now)
    await new Promise((resolve) => setImmediate(resolve))
    atOnce.now -= 1
  }
  const { view } = views(pace)
  const look = (name: string) => view().observer.look(name, 'one', 'routine', signal)
  await look('first.nowhere')
  atOnce.most = 0
  await Promise.all([look('second.nowhere'), look('third.nowhere'), look('fourth.nowhere')])
  assert.equal(atOnce.most, 3)
})

test('a question that someone waits for does not wait for one of routine', async () => {
  const held = Promise.withResolvers<void>()
  const pace = async (_: string, urgency: Urgency) => {
    if (urgency === 'routine') await held.promise
  }
  const { view } = views(pace)
  const routine = view().observer.look('routine.org', 'one', 'routine', signal)
  const { answers } = await view().observer.look('urgent.org', 'one', 'asked', signal)
  assert.equal(answers[0]!.outcome, 'delegated')
  held.resolve()
  await routine
})

test('a pass that waits for the question of another, which is given up, asks itself', async () => {
  const gate = Promise.withResolvers<void>()
  let isFirst = true
  const pace = async (_address: string, _urgency: Urgency, signal: AbortSignal) => {
    if (!isFirst) return
    isFirst = false
    gate.resolve()
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  const { view } = views(pace)
  const giveUp = new AbortController()
  const first = view().observer.look('one.org', 'one', 'asked', giveUp.signal)
  await gate.promise
  const second = view().observer.look('two.org', 'one', 'asked', signal)
  giveUp.abort()
  await assert.rejects(first)
  assert.equal((await second).answers[0]!.outcome, 'delegated')
})
