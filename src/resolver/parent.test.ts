import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Answer } from 'dns-packet'
import { a, NXDOMAIN, ns, REFUSED, type Said, serve, soa } from '../../test/nameserver.ts'
import { unpaced } from './pace.ts'
import { dnsViews } from './view.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

const digest = Buffer.from('ab'.repeat(32), 'hex')
const ds = (name: string, ttl: number): Answer => {
  return { name, type: 'DS', ttl, data: { keyTag: 1, algorithm: 13, digestType: 2, digest } }
}

const ADDRESSES: Record<string, string> = {
  'good.ns.test': '127.0.0.61',
  'lame.ns.test': '127.0.0.62',
}

// biome-ignore format: a table
const SHOWN: Record<string, Said> = {
  'moved.test':   { aa: false, authorities: [ns('moved.test', 'good.ns.test', 7200)] },
  'signed.test':  { aa: false, authorities: [ns('signed.test', 'good.ns.test', 300), ds('signed.test', 86_400)] },
  'absent.test':  { rcode: NXDOMAIN, authorities: [soa('test', 3600, 900)] },
  'absent2.test': { rcode: NXDOMAIN, authorities: [soa('test', 60, 900)] },
  'bare.test':    { authorities: [soa('test', 900, 900)] },
  'silent.test':  { rcode: NXDOMAIN },
  'offered.test': { ra: true, authorities: [ns('offered.test', 'good.ns.test')] },
  'taken.test':   { aa: false, rcode: NXDOMAIN },
  'filled.test':  { aa: false, answers: [ns('filled.test', 'good.ns.test')] },
}

const port = await serve(opened, '127.0.0.60', 0, (name) => {
  const address = ADDRESSES[name]
  return address ? { answers: [a(name, address)] } : (SHOWN[name] ?? { rcode: NXDOMAIN })
})
await serve(opened, '127.0.0.61', port, (name) => ({ answers: [ns(name, 'good.ns.test')] }))
await serve(opened, '127.0.0.62', port, () => ({ rcode: REFUSED, aa: false }))

const reach = {
  rootHints: ['127.0.0.60'],
  dnsPort: () => port,
  mayConnect: () => true,
  pace: unpaced,
}
const { observer } = dnsViews(reach, () => performance.now())()
const signal = AbortSignal.timeout(20_000)

// biome-ignore format: a table
const TTLS: [what: string, name: string, outcome: string, ttl: number | null][] = [
  ['a delegation',                              'moved.test',   'delegated', 7200],
  ['the longer of a delegation and its DS',     'signed.test',  'delegated', 86_400],
  ['an absence, by the minimum of the SOA',     'absent.test',  'nxdomain',  900],
  ['or by its TTL, where that is shorter',      'absent2.test', 'nxdomain',  60],
  ['the absence of a cut',                      'bare.test',    'no_cut',    900],
  ['an absence without a SOA, for no time',     'silent.test',  'nxdomain',  null],
]

for (const [what, name, outcome, ttl] of TTLS) {
  test(`how long an answer may be kept: ${what}`, async () => {
    const { answers } = await observer.look(name, 'one', 'asked', signal)
    assert.deepEqual(
      answers.map((each) => [each.outcome, each.ttl]),
      [[outcome, ttl]],
    )
  })
}

// biome-ignore format: a table
const INTERCEPTED: [what: string, name: string][] = [
  ['offers recursion',                       'offered.test'],
  ['denies a name without authority',        'taken.test'],
  ['answers for a name without authority',   'filled.test'],
]

for (const [what, name] of INTERCEPTED) {
  test(`no root server ${what}: whoever does, stands in its place`, async () => {
    const { answers } = await observer.look(name, 'one', 'asked', signal)
    assert.deepEqual(
      answers.map(({ outcome }) => outcome),
      ['intercepted'],
    )
  })
}

test('nameservers are asked themselves whether they serve a name', async () => {
  const asked = ['good.ns.test', 'lame.ns.test', 'nowhere.ns.test']
  const answers = await observer.serving('moved.test', asked, signal)
  assert.deepEqual(
    answers.map(({ name, address, outcome }) => [name, address, outcome]),
    [
      ['good.ns.test', '127.0.0.61', 'authoritative'],
      ['lame.ns.test', '127.0.0.62', 'refused'],
    ],
    'one without an address is passed over: it says nothing',
  )
})
