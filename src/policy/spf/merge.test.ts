import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { spf as evaluate } from 'mailauth/lib/spf/index.js'
import { mergeSpf } from './merge.ts'
import { brokenTermsOf } from './parse.ts'

// biome-ignore format: a table
const MERGED: [what: string, policies: string[], expected: string][] = [
  // RFC 7208 section 6.1.
  ['a redirect beside `all` is ignored',          ['v=spf1 mx ~all', 'v=spf1 ip4:192.0.2.1 redirect=x.test -all'],   'v=spf1 mx ip4:192.0.2.1 -all'],
  ['so it is before and behind it',               ['v=spf1 mx ~all', 'v=spf1 redirect=x.test ?all ip4:192.0.2.1'],   'v=spf1 mx ~all'],
  ['a lone redirect passes what it passed',       ['v=spf1 mx ~all', 'v=spf1 redirect=x.test'],                      'v=spf1 mx include:x.test ~all'],
  ['and is tried last, wherever it stands',       ['v=spf1 mx ~all', 'v=spf1 redirect=x.test -ip4:192.0.2.1 a'],     'v=spf1 mx -ip4:192.0.2.1 a include:x.test ~all'],
  // RFC 7208 section 5.1.
  ['what stands behind `all` is dropped',         ['v=spf1 mx ~all', 'v=spf1 ip4:192.0.2.1 -all include:x.test'],    'v=spf1 mx ip4:192.0.2.1 -all'],
  ['the first `all` counts',                      ['v=spf1 mx ?all', 'v=spf1 a ~all -all'],                          'v=spf1 mx a ~all'],
  ['modifiers behind it stay',                    ['v=spf1 mx ~all', 'v=spf1 a -all exp=why.test x=y'],              'v=spf1 mx a -all exp=why.test x=y'],
  ['one explanation stays, the first',            ['v=spf1 mx exp=a.test -all', 'v=spf1 a EXP=b.test -all'],         'v=spf1 mx a -all exp=a.test'],
  ['unknown modifiers stay, once',                ['v=spf1 mx x=1 ~all', 'v=spf1 a x=1 x=2 ~all'],                   'v=spf1 mx a ~all x=1 x=2'],
  // The first match decides.
  ['a refusal keeps its place',                   ['v=spf1 mx ~all', 'v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 -all'], 'v=spf1 mx -ip4:192.0.2.1 ip4:192.0.2.0/24 -all'],
  ['and goes behind what another passes first',   ['v=spf1 -ip4:192.0.2.1 a -all', 'v=spf1 mx ?include:x.test ~all'], 'v=spf1 mx -ip4:192.0.2.1 a ?include:x.test -all'],
  ['a refusal of what another passes is dropped', ['v=spf1 include:x.test ~all', 'v=spf1 -include:X.test a -all'],   'v=spf1 include:x.test a -all'],
  // The same by meaning, once.
  ['case',                                        ['v=spf1 include:x.test ~all', 'v=spf1 INCLUDE:X.Test a ~all'],    'v=spf1 include:x.test a ~all'],
  ['a plus',                                      ['v=spf1 mx ~all', 'v=spf1 +MX a ~all'],                           'v=spf1 mx a ~all'],
  ['a last dot',                                  ['v=spf1 include:x.test ~all', 'v=spf1 include:x.test. a ~all'],   'v=spf1 include:x.test a ~all'],
  ['the name itself',                             ['v=spf1 mx a ~all', 'v=spf1 mx:Acme.Test a:%{d} ptr ptr:acme.test ~all'], 'v=spf1 mx a ptr ~all'],
  ['whole prefixes',                              ['v=spf1 ip4:192.0.2.1 a ip6:2001:db8::1 ~all', 'v=spf1 ip4:192.0.2.1/32 a/32//128 ip6:2001:DB8:0::1/128 ~all'], 'v=spf1 ip4:192.0.2.1 a ip6:2001:db8::1 ~all'],
  ['addresses of one network',                    ['v=spf1 ip4:192.0.2.7/24 ip6:2001:db8::7/32 ~all', 'v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 a ~all'], 'v=spf1 ip4:192.0.2.7/24 ip6:2001:db8::7/32 a ~all'],
  // And what is not the same.
  ['other prefixes',                              ['v=spf1 a/24 ~all', 'v=spf1 a a//64 ~all'],                       'v=spf1 a/24 a a//64 ~all'],
  ['other names',                                 ['v=spf1 mx ~all', 'v=spf1 mx:mail.acme.test ~all'],               'v=spf1 mx mx:mail.acme.test ~all'],
  ['macros that escape',                          ['v=spf1 exists:%{l}.x.test ~all', 'v=spf1 exists:%{L}.x.test ~all'], 'v=spf1 exists:%{l}.x.test exists:%{L}.x.test ~all'],
  // What is broken stays so.
  ['a broken term',                               ['v=spf1 mx ~all', 'v=spf1 ipv4:192.0.2.1 a -all'],                'v=spf1 mx ipv4:192.0.2.1 a -all'],
]

describe('merged by meaning', () => {
  for (const [what, policies, expected] of MERGED) {
    test(what, () => assert.equal(mergeSpf(policies, 'acme.test'), expected))
  }
})

const WORLD: Record<string, string[] | { priority: number; exchange: string }[]> = {
  'h1.test A': ['192.0.2.1'],
  'h2.test A': ['192.0.2.2'],
  'm1.test MX': [{ priority: 10, exchange: 'h1.test' }],
  'p1.test TXT': ['v=spf1 ip4:192.0.2.0/30 -all'],
  'p2.test TXT': ['v=spf1 -ip4:192.0.2.2 ip4:192.0.2.2/31 ?all'],
  'p3.test TXT': ['v=spf1 ip4:192.0.2.5 redirect=p2.test'],
}
const ADDRESSES = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.5', '198.51.100.1']

const isNamed = (name: string) => Object.keys(WORLD).some((key) => key.startsWith(`${name} `))

/** What a receiver finds, by a library that knows nothing of how we merge. */
async function resultFor(ip: string, policy: string): Promise<string> {
  const resolver = async (name: string, type: string) => {
    const found = name === 'acme.test' && type === 'TXT' ? [policy] : WORLD[`${name} ${type}`]
    if (found === undefined) {
      throw Object.assign(new Error(name), { code: isNamed(name) ? 'ENODATA' : 'ENOTFOUND' })
    }
    return type === 'TXT' ? found.map((text) => [text]) : found
  }
  const options = { sender: 'x@acme.test', ip, helo: 'h1.test', mta: 'mx.test', resolver }
  const { status } = await evaluate({ ...options, strict: true } as Parameters<typeof evaluate>[0])
  return status.result
}

const MECHANISMS = [
  'ip4:192.0.2.1',
  'ip4:192.0.2.1/32',
  'IP4:192.0.2.2',
  'ip4:192.0.2.2/31',
  'ip4:192.0.2.0/24',
  'a:h1.test',
  'a:H2.test',
  'a:h1.test/30',
  'mx:m1.test',
  'include:p1.test',
  'include:p2.test',
  'INCLUDE:p3.test.',
]
const QUALIFIERS = ['', '+', '-', '~', '?'] as const

const directives = (qualifiers: readonly string[]) =>
  fc.array(
    fc
      .tuple(fc.constantFrom(...qualifiers), fc.constantFrom(...MECHANISMS))
      .map((parts) => parts.join('')),
    { maxLength: 4 },
  )
const policyOf = (qualifiers: readonly string[], ends: readonly string[]) =>
  fc
    .tuple(directives(qualifiers), fc.constantFrom(...ends), directives(qualifiers))
    .map(([before, end, behind]) =>
      ['v=spf1', ...before, ...(end.endsWith('all') ? [end, ...behind] : [end])]
        .filter(Boolean)
        .join(' '),
    )
const ENDS = ['-all', '~all', '?all', '-ALL', '', 'redirect=p1.test', 'redirect=p3.test']
const passing = policyOf(['', '+'], ENDS)
const any = policyOf(QUALIFIERS, ENDS)

const RUNS = { numRuns: 200 }

describe('of any policies', () => {
  test('of two, one without refusals, what either passes is passed, and nothing else', () =>
    fc.assert(
      fc.asyncProperty(
        passing,
        any,
        fc.constantFrom(...ADDRESSES),
        fc.boolean(),
        async (ours, theirs, ip, isFirst) => {
          const merged = mergeSpf(isFirst ? [ours, theirs] : [theirs, ours], 'acme.test')
          const results = [await resultFor(ip, ours), await resultFor(ip, theirs)]
          assert.equal((await resultFor(ip, merged)) === 'pass', results.includes('pass'), merged)
        },
      ),
      RUNS,
    ))

  test('nothing is passed that none of them passes', () =>
    fc.assert(
      fc.asyncProperty(any, any, fc.constantFrom(...ADDRESSES), async (first, second, ip) => {
        const merged = mergeSpf([first, second], 'acme.test')
        if ((await resultFor(ip, merged)) !== 'pass') return
        const results = [await resultFor(ip, first), await resultFor(ip, second)]
        assert.ok(results.includes('pass'), merged)
      }),
      RUNS,
    ))

  test('what a policy decides before its end stays so, unless the other passes it', () =>
    fc.assert(
      fc.asyncProperty(passing, any, fc.constantFrom(...ADDRESSES), async (ours, theirs, ip) => {
        const [before] = theirs.split(/ (?:redirect=|\S?all\b)/i)
        const [strict, neutral] = [
          await resultFor(ip, `${before} -all`),
          await resultFor(ip, `${before} ?all`),
        ]
        if (strict !== neutral || (await resultFor(ip, ours)) === 'pass') return
        const merged = mergeSpf([ours, theirs], 'acme.test')
        assert.equal(await resultFor(ip, merged), strict, merged)
      }),
      RUNS,
    ))

  test('merging with either again changes nothing, and the result is one policy with one end', () =>
    fc.assert(
      fc.property(any, any, (first, second) => {
        const merged = mergeSpf([first, second], 'acme.test')
        assert.equal(mergeSpf([first, merged], 'acme.test'), merged)
        assert.deepEqual(brokenTermsOf(merged), [])
        if (first !== second) assert.match(merged, / [-~?]all$/)
        assert.ok(!merged.includes('redirect=') || first === second)
      }),
      { numRuns: 1000 },
    ))

  test('any text behind the version is read and merged, and a broken term stays broken', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), any, (text, policy) => {
        const written = `v=spf1 ${text}`
        const merged = mergeSpf([policy, written], 'acme.test')
        const isHidden = / [+?~-]?all( |$)/i.test(written) || / (?:redirect|exp)=/i.test(written)
        if (brokenTermsOf(written).length > 0 && !isHidden) {
          assert.ok(brokenTermsOf(merged).length > 0, merged)
        }
      }),
    ))
})
