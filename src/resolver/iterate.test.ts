import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { a, ns, REFUSED, type Said, serve, soa } from '../../test/nameserver.ts'
import { unpaced } from './pace.ts'
import { LookupFailed } from './resolver.ts'
import { viewsThrough } from './view.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

const [ROOT, GOOD, LAME] = ['127.0.0.64', '127.0.0.65', '127.0.0.66']
const NAME = 'acme.test'

/** What the two servers of acme.test say; the root refers to both of them. */
let said: { good: Said; lame: Said } = { good: {}, lame: {} }

const port = await serve(opened, ROOT, 0, () => ({
  aa: false,
  authorities: [ns(NAME, `good.${NAME}`), ns(NAME, `lame.${NAME}`)],
  additionals: [a(`good.${NAME}`, GOOD), a(`lame.${NAME}`, LAME)],
}))
await serve(opened, GOOD, port, () => said.good)
await serve(opened, LAME, port, () => said.lame)

const view = viewsThrough(
  { rootHints: [ROOT], dnsPort: () => port, mayConnect: () => true, pace: unpaced },
  () => performance.now(),
)

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
