import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Answer } from 'dns-packet'
import { a, NXDOMAIN, ns, REFUSED, type Said, serve, soa } from '../../test/nameserver.ts'
import { unpaced } from './pace.ts'
import { LookupFailed } from './resolver.ts'
import { dnsViews } from './view.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

const [ROOT, GOOD, LAME] = ['127.0.0.64', '127.0.0.65', '127.0.0.66']
const NAME = 'acme.test'
const SERVFAIL = 2

/** What the two servers of acme.test say; the root refers to both of them. */
let said: { good: Said; lame: Said } = { good: {}, lame: {} }

const port = await serve(opened, ROOT, 0, () => ({
  aa: false,
  authorities: [ns(NAME, `good.${NAME}`), ns(NAME, `lame.${NAME}`)],
  additionals: [a(`good.${NAME}`, GOOD), a(`lame.${NAME}`, LAME)],
}))
await serve(opened, GOOD, port, () => said.good)
await serve(opened, LAME, port, () => said.lame)

const reach = { rootHints: [ROOT], dnsPort: () => port, mayConnect: () => true, pace: unpaced }
const view = dnsViews(reach, () => performance.now())
const aliases = dnsViews({ ...reach, rootHints: ['127.0.0.67'] }, () => performance.now())
await serve(opened, '127.0.0.67', port, (name) => ALIASES[name]!)

/** Servers are asked in random order: so often, each comes first at some time. */
const TIMES = 20

async function seen(): Promise<Set<string>> {
  const all = new Set<string>()
  for (let time = 0; time < TIMES; time++) {
    const { rcode, records } = await view().publicDns.resolve(
      NAME,
      'A',
      AbortSignal.timeout(10_000),
    )
    all.add([rcode, ...records.map(({ data }) => data)].join(' '))
  }
  return all
}

// biome-ignore format: a table
const LAME_REPLIES: [what: string, reply: Said][] = [
  ['an upward referral',                      { aa: false, authorities: [ns('', 'root.servers.test')] }],
  ['a referral to the zone that was asked',   { aa: false, authorities: [ns(NAME, `good.${NAME}`)] }],
  ['a referral to a zone beside it',          { aa: false, authorities: [ns('other.test', 'ns.other.test')] }],
  ['nothing, without authority',              { aa: false }],
  ['an absence, without authority',           { aa: false, authorities: [soa(NAME, 300, 300)] }],
  ['a refusal',                               { aa: false, rcode: REFUSED }],
  ['a failure',                               { aa: false, rcode: SERVFAIL }],
  ['a failure with authority',                { rcode: SERVFAIL }],
]

for (const [what, lame] of LAME_REPLIES) {
  test(`${what} says nothing of a name: the next server is asked`, async () => {
    said = { good: { answers: [a(NAME, '192.0.2.1')] }, lame }
    assert.deepEqual(await seen(), new Set(['NOERROR 192.0.2.1']))
  })

  test(`and where all say ${what}, nobody could be asked`, async () => {
    said = { good: lame, lame }
    await assert.rejects(seen(), LookupFailed)
  })
}

// biome-ignore format: a table
const BELIEVED: [what: string, reply: Said, result: string][] = [
  ['an absence with authority',     { authorities: [soa(NAME, 300, 300)] },            'NOERROR'],
  ['an answer with authority',      { answers: [a(NAME, '192.0.2.1')] },               'NOERROR 192.0.2.1'],
  ['an answer without authority',   { aa: false, answers: [a(NAME, '192.0.2.1')] },    'NOERROR 192.0.2.1'],
]

for (const [what, reply, result] of BELIEVED) {
  test(`${what} is believed`, async () => {
    said = { good: reply, lame: reply }
    assert.deepEqual(await seen(), new Set([result]))
  })
}

const cname = (name: string, data: string): Answer => ({ name, type: 'CNAME', ttl: 300, data })
const dname = (name: string, data: string): Answer => ({ name, type: 'DNAME', ttl: 300, data })

/** What the servers of acme.test say to each name. */
// biome-ignore format: a table
const ALIASES: Record<string, Said> = {
  'one.acme.test':       { answers: [cname('one.acme.test', 'two.acme.test')] },
  'two.acme.test':       { answers: [cname('two.acme.test', 'end.acme.test')] },
  'end.acme.test':       { answers: [a('end.acme.test', '192.0.2.2')] },
  'whole.acme.test':     { answers: [cname('whole.acme.test', 'end.acme.test'), a('end.acme.test', '192.0.2.66')] },
  'www.old.acme.test':   { answers: [dname('old.acme.test', 'new.acme.test'), cname('www.old.acme.test', 'www.new.acme.test')] },
  'www.new.acme.test':   { answers: [a('www.new.acme.test', '192.0.2.3')] },
  'dangling.acme.test':  { answers: [cname('dangling.acme.test', 'absent.acme.test')] },
  'absent.acme.test':    { rcode: NXDOMAIN, authorities: [soa(NAME, 300, 300)] },
  'loop.acme.test':      { answers: [cname('loop.acme.test', 'pool.acme.test')] },
  'pool.acme.test':      { answers: [cname('pool.acme.test', 'loop.acme.test')] },
  'unsaid.acme.test':    { answers: [dname('acme.test', 'other.test')] },
}

const FOLLOWED: [what: string, name: string, result: string][] = [
  ['an alias of an alias', 'one.acme.test', 'NOERROR 192.0.2.2'],
  ['an alias, whose end is asked for where it is', 'whole.acme.test', 'NOERROR 192.0.2.2'],
  ['a DNAME, by the CNAME that comes with it', 'www.old.acme.test', 'NOERROR 192.0.2.3'],
  ['an alias of a name that is not there', 'dangling.acme.test', 'NXDOMAIN'],
  ['a DNAME without its CNAME, which is no answer to the name', 'unsaid.acme.test', 'NOERROR'],
]

async function followed(name: string): Promise<string> {
  const { rcode, records } = await aliases().publicDns.resolve(
    name,
    'A',
    AbortSignal.timeout(10_000),
  )
  return [rcode, ...records.map(({ data }) => data)].join(' ')
}

for (const [what, name, result] of FOLLOWED) {
  test(`followed: ${what}`, async () => assert.equal(await followed(name), result))
}

test('aliases that lead in a circle lead nowhere', async () => {
  await assert.rejects(followed('loop.acme.test'), LookupFailed)
})

// biome-ignore format: a table
const NOWHERE: [what: string, referrals: Record<string, string>][] = [
  ['a server named in its own zone, without glue',         { 'acme.test': 'ns.acme.test' }],
  ['zones whose servers are named in each other, without', { 'acme.test': 'ns.beta.test', 'beta.test': 'ns.acme.test' }],
]

for (const [what, referrals] of NOWHERE) {
  test(`not found, and given up soon: ${what}`, async () => {
    let asked = 0
    await using stack = new AsyncDisposableStack()
    const own = await serve(stack, '127.0.0.68', 0, (name) => {
      asked += 1
      const zone = name.split('.').slice(-2).join('.')
      return { aa: false, authorities: [ns(zone, referrals[zone]!)] }
    })
    const { publicDns } = dnsViews(
      { ...reach, rootHints: ['127.0.0.68'], dnsPort: () => own },
      () => performance.now(),
    )()
    for (const _ of [1, 2]) {
      await assert.rejects(publicDns.resolve(NAME, 'A', AbortSignal.timeout(10_000)), LookupFailed)
    }
    assert.ok(asked <= 6, `${asked} questions`)
  })
}
