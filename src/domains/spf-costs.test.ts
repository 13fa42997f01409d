import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { excessOf, lookupsOf } from '#policy/spf.ts'
import { LookupFailed, type Resolver } from '#resolver/resolver.ts'
import { spfCosts } from './spf-costs.ts'

const leaves = (count: number) =>
  ['v=spf1', ...Array.from({ length: count }, (_, index) => `include:leaf${index}.test`)].join(' ')

/** The public DNS: values by name and type. What is not in it is not there, `mute.test` not asked. */
const WORLD: Record<string, string[]> = {
  'one.test TXT': ['v=spf1 ip4:192.0.2.1 -all'],
  'four.test TXT': ['site=x', `${leaves(4)} -all`],
  'nine.test TXT': [`${leaves(9)} -all`],
  'deep.test TXT': ['v=spf1 include:four.test include:one.test -all'],
  'led.test TXT': ['v=spf1 mx:mail.test redirect=four.test'],
  'ended.test TXT': ['v=spf1 -all redirect=four.test include:four.test'],
  'macro.test TXT': ['v=spf1 include:%{i}.spf.test exists:%{l}.test include:four.%{d} -all'],
  'four.macro.test TXT': ['v=spf1 include:one.test -all'],
  'self.test TXT': ['v=spf1 include:self.test -all'],
  'ring.test TXT': ['v=spf1 redirect=back.test'],
  'back.test TXT': ['v=spf1 a:host.test include:RING.test. -all'],
  'home.test TXT': ['v=spf1 include:acme.test -all'],
  'other.test TXT': ['site=x'],
  'two.test TXT': ['v=spf1 -all', 'v=spf1 ~all'],
  'bad.test TXT': ['v=spf1 ipv4:192.0.2.1 -all'],
  'host.test A': ['192.0.2.1'],
  'six.test AAAA': ['2001:db8::1'],
  'mail.test MX': ['10 host.test'],
  'crowd.test MX': Array.from({ length: 11 }, (_, index) => `10 mx${index}.test`),
  'dead.test TXT': ['v=spf1 a:gone1.test a:gone2.test exists:gone3.test -all'],
  'half.test TXT': ['v=spf1 include:mute.test include:nine.test -all'],
}
for (let index = 0; index < 10; index++) WORLD[`leaf${index}.test TXT`] = ['v=spf1 -all']

function world(asked: string[] = []): Resolver {
  return {
    async resolve(name, type, signal) {
      signal.throwIfAborted()
      asked.push(`${name} ${type}`)
      if (name === 'mute.test') throw new LookupFailed('no server of mute.test answers')
      const records = (WORLD[`${name} ${type}`] ?? []).map((data) => ({
        name,
        type,
        ttl: 60,
        data,
      }))
      return { rcode: records.length > 0 ? 'NOERROR' : 'NXDOMAIN', records }
    },
  }
}

const signal = new AbortController().signal
const costs = (policy: string, asked?: string[]) =>
  spfCosts('acme.test', policy, world(asked), signal)
const isOurs = (term: string) => term === 'include:one.test'
const totalOf = async (policy: string) =>
  (await costs(policy)).reduce((sum, cost) => sum + lookupsOf(cost), 0)

// biome-ignore format: a table
const TOTALS: [policy: string, total: number][] = [
  ['v=spf1 -all',                                      0],
  ['v=spf1 ip4:192.0.2.1 exp=one.test -all',           0],
  ['v=spf1 a mx ptr exists:host.test -all',            4],
  ['v=spf1 include:one.test -all',                     1],
  ['v=spf1 include:four.test -all',                    5],
  ['v=spf1 include:four.test include:FOUR.test. -all', 10], // A receiver asks twice.
  ['v=spf1 include:deep.test -all',                    7],
  ['v=spf1 redirect=deep.test',                        7],
  ['v=spf1 redirect=deep.test -all',                   0],
  ['v=spf1 -all include:deep.test',                    0],
  ['v=spf1 include:led.test -all',                     7],
  ['v=spf1 include:ended.test -all',                   1],
  ['v=spf1 include:macro.test -all',                   5],
  ['v=spf1 include:%{d} -all',                        11],
  ['v=spf1 include:gone.test include:bad.test -all',   2],
]

describe('the look-ups of a policy', () => {
  for (const [policy, total] of TOTALS) {
    test(`${total} for ${policy}`, async () => assert.equal(await totalOf(policy), total))
  }
})

// biome-ignore format: a table
const EXCESSES: [policy: string, says: RegExp | undefined][] = [
  ['v=spf1 include:nine.test -all',                            undefined],
  ['v=spf1 include:one.test include:nine.test -all',           /takes 11 look-ups.*take 1 at least.*: include:nine\.test \(10\)\.$/],
  ['v=spf1 mx include:nine.test include:four.test -all',       /takes 16 look-ups.*: include:nine\.test \(10\), include:four\.test \(5\), mx \(1\)\.$/],
  ['v=spf1 include:self.test -all',                            /never ends, for include:self\.test leads back.*include:self\.test \(without end\)/],
  ['v=spf1 include:ring.test -all',                            /never ends, for include:RING\.test\. leads back/],
  ['v=spf1 include:home.test -all',                            /never ends, for include:acme\.test leads back/],
  ['v=spf1 a:gone1.test include:gone2.test -all',              undefined],
  ['v=spf1 a:six.test a:gone1.test mx:gone2.test -all',        undefined],
  ['v=spf1 a:gone1.test mx:gone2.test exists:gone3.test -all', /3 names that have no such records.*more than 2.*: a:gone1\.test, mx:gone2\.test, exists:gone3\.test\.$/],
  ['v=spf1 include:dead.test -all',                            /3 names that have no such records/],
  ['v=spf1 include:other.test include:two.test include:bad.test -all', undefined],
  ['v=spf1 mx:mail.test -all',                                 undefined],
  ['v=spf1 mx:crowd.test -all',                                /mx:crowd\.test leads to 11 mail servers.*more than 10/],
  // Ours to publish.
  ['v=spf1 a mx a:acme.test mx:acme.test -all',                undefined],
  // What cannot be asked can only cost more.
  ['v=spf1 include:mute.test -all',                            undefined],
  ['v=spf1 include:half.test -all',                            /takes 12 look-ups/],
]

describe('a policy beyond the limits', () => {
  for (const [policy, says] of EXCESSES) {
    test(`${says ? 'is told' : 'is not'}: ${policy}`, async () => {
      const excess = excessOf('acme.test', await costs(policy), isOurs)
      if (says === undefined) assert.equal(excess, undefined)
      else assert.match(excess ?? '', says)
    })
  }
})

// biome-ignore format: a table
const FAULTS: [term: string, fault: string][] = [
  ['include:gone.test',   'gone.test has no SPF policy'],
  ['include:other.test',  'other.test has no SPF policy'],
  ['redirect=other.test', 'other.test has no SPF policy'],
  ['include:two.test',    'two.test has 2 SPF policies'],
  ['include:bad.test',    'the SPF policy of bad.test has the broken term ipv4:192.0.2.1'],
]

test('a term that leads to no valid policy says why', async () => {
  for (const [term, fault] of FAULTS) {
    const [cost] = await costs(`v=spf1 ${term}`)
    assert.equal(cost?.fault, fault, term)
  }
})

test('each question is asked once, and of a policy without end so many and no more', async () => {
  const asked: string[] = []
  await costs('v=spf1 include:four.test include:four.test include:nine.test -all', asked)
  assert.equal(new Set(asked).size, asked.length)
  const wide = Array.from({ length: 2000 }, (_, index) => `include:w${index}.test`).join(' ')
  const many: string[] = []
  const found = await costs(`v=spf1 ${wide} -all`, many)
  assert.equal(many.length, 60)
  const excess = excessOf('acme.test', found, isOurs)!
  assert.match(excess, /takes 2000 look-ups/)
  assert.ok(excess.length < 4000, excess)
})

test('when the pass ends, so does the asking', async () => {
  const ended = AbortSignal.abort(new Error('the pass ended'))
  const asking = spfCosts('acme.test', 'v=spf1 include:one.test', world(), ended)
  await assert.rejects(asking, /the pass ended/)
})
