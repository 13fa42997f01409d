import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { chainFault, REDIRECTS_IN_A_ROW } from './redirect-chain.ts'

const chain = (...hosts: string[]) => hosts.map((host, passed) => ({ host, passed }))
const long = (length: number) => chain(...Array.from({ length }, (_, n) => `host${n}.test`))

// biome-ignore format: a table
const CHAINS: [what: string, hosts: ReturnType<typeof chain>, expected: string | undefined][] = [
  ['to a host elsewhere',            chain('b.test'),                    undefined],
  ['over another domain',            chain('b.test', 'c.test'),          undefined],
  ['to itself',                      chain('a.test'),                    'loop'],
  ['to its own www',                 chain('www.a.test'),                'loop'],
  ['back after two',                 chain('b.test', 'c.test', 'a.test'), 'loop'],
  ['to a host below it',             chain('shop.a.test'),               undefined],
  ['to a name that ends alike',      chain('aa.test', 'xa.test'),        undefined],
  ['as long as may be',              long(REDIRECTS_IN_A_ROW),           undefined],
  ['longer',                         long(REDIRECTS_IN_A_ROW + 1),       'too_long'],
  ['a loop that is long as well',    [...long(20), { host: 'a.test', passed: 20 }], 'loop'],
]

describe('a redirect of a.test', () => {
  for (const [what, hosts, expected] of CHAINS)
    test(what, () => assert.equal(chainFault('a.test', hosts), expected))
})
