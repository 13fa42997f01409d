import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawPair, nameserverPool, obstacleToAdding, type PoolName } from './claims.ts'

const ADDRESSES = ['192.0.2.1', '192.0.2.2', '192.0.2.3']

/** Names a, b, c … at the address of that number. */
const poolOf = (...numbers: number[]): PoolName[] =>
  numbers.map((number, index) => ({
    name: `${String.fromCharCode(97 + index)}.ns.test`,
    address: `192.0.2.${number}`,
  }))

const pair = (names: string): string[] => [...names].map((label) => `${label}.ns.test`)

/** Draws, and takes what is drawn, until nothing is left. */
function drawAll(
  pool: readonly PoolName[],
  taken: readonly (readonly string[])[] = [],
  shown: readonly string[] = [],
): string[] {
  const drawn: (readonly string[])[] = []
  for (let draws = 0; draws < 10; draws++) {
    const next = drawPair(pool, [...taken, ...drawn], shown)
    if (next !== undefined) drawn.push(next)
  }
  return drawn.map((names) => names.map((name) => name[0]).join('')).toSorted()
}

test('the pool has 64 names in the zone, and each has one address, in turn', () => {
  const pool = nameserverPool('ns.acme.com', ADDRESSES)
  assert.equal(new Set(pool.map(({ name }) => name)).size, 64)
  for (const [index, { name, address }] of pool.entries()) {
    assert.match(name, /^[a-z]+\.ns\.acme\.com$/)
    assert.equal(address, ADDRESSES[index % 3])
  }
})

test('a name keeps its place in the pool, and so its address: pairs once shown must go on working', () => {
  const pool = nameserverPool('ns.acme.com', ADDRESSES)
  for (const [index, label] of [
    [0, 'ada'],
    [31, 'gus'],
    [32, 'hal'],
    [63, 'oscar'],
  ] as const)
    assert.equal(pool[index]?.name, `${label}.ns.acme.com`)
})

// biome-ignore format: a table
const DRAWS: [what: string, pool: PoolName[], taken: string[], shown: string, expected: string[]][] = [
  ['every pair of different addresses',       poolOf(1, 2, 1, 2),   [],           '',     ['ab', 'ad', 'bc', 'cd']],
  ['every pair, on a single address',         poolOf(1, 1, 1),      [],           '',     ['ab', 'ac', 'bc']],
  ['every pair, on as many addresses',        poolOf(1, 2, 3),      [],           '',     ['ab', 'ac', 'bc']],
  ['no pair that is taken',                   poolOf(1, 2, 3),      ['ab', 'bc'], '',     ['ac']],
  ['a pair of which one name is taken',       poolOf(1, 2, 3),      ['ab'],       '',     ['ac', 'bc']],
  ['no pair of which both names are shown',   poolOf(1, 2, 3),      [],           'ab',   ['ac', 'bc']],
  ['no pair out of three that are shown',     poolOf(1, 2, 3, 4),   [],           'abc',  ['ad', 'bd', 'cd']],
  ['pairs of which one name is shown',        poolOf(1, 2, 3),      [],           'a',    ['ab', 'ac', 'bc']],
  ['what is neither taken nor shown',         poolOf(1, 2, 3),      ['ac'],       'ab',   ['bc']],
  ['nothing, where all is taken',             poolOf(1, 2),         ['ab'],       '',     []],
  ['nothing, where all is shown',             poolOf(1, 2),         [],           'ab',   []],
  ['nothing, where no two addresses differ but for one', poolOf(1, 1, 2), ['ac', 'bc'], '', []],
  ['nothing out of one name',                 poolOf(1),            [],           '',     []],
  ['nothing out of no names',                 [],                   [],           '',     []],
]

for (const [what, pool, taken, shown, expected] of DRAWS) {
  test(`draws ${what}`, () => {
    assert.deepEqual(drawAll(pool, taken.map(pair), pair(shown)), expected)
  })
}

test('strangers’ nameservers that are shown rule nothing out', () => {
  assert.deepEqual(drawAll(poolOf(1, 2), [], ['ns1.other.test', 'ns2.other.test']), ['ab'])
})

test('a pair is sorted and spread over two addresses, whatever the order of the pool', () => {
  const pool = nameserverPool('ns.acme.com', ADDRESSES).toReversed()
  const addressOf = new Map(pool.map(({ name, address }) => [name, address]))
  for (let drawn = 0; drawn < 500; drawn++) {
    const names = drawPair(pool, [], [])!
    assert.equal(names.length, 2)
    assert.deepEqual(names, names.toSorted())
    assert.notEqual(addressOf.get(names[0]!), addressOf.get(names[1]!))
  }
})

test('draws are random: nobody can foresee the pair of another’s claim', () => {
  const pool = nameserverPool('ns.acme.com', ADDRESSES)
  const drawn = Array.from({ length: 1000 }, () => drawPair(pool, [], [])!.join())
  // Of 1365 pairs; 1000 fair draws give some 709 different ones, and fewer than 600 never.
  assert.ok(new Set(drawn).size > 600, `${new Set(drawn).size} different pairs`)
})

test('a name can be claimed 2016 times on one address, and not once more', () => {
  const pool = nameserverPool('ns.acme.com', ['127.0.0.1'])
  const all = pool.flatMap((a, index) =>
    pool.slice(index + 1).map((b) => [a.name, b.name].toSorted()),
  )
  assert.equal(all.length, 2016)
  const last = all.pop()!
  assert.deepEqual(drawPair(pool, all, []), last)
  assert.equal(drawPair(pool, [...all, last], []), undefined)
})

// biome-ignore format: a table
const ADDS: [recentAdds: number, pendingClaims: number, expected: string | undefined][] = [
  [0,  0, undefined],
  [4,  2, undefined],
  [5,  0, 'too_many_adds'],
  [0,  3, 'too_many_claims'],
  [5,  3, 'too_many_adds'],
  [99, 0, 'too_many_adds'],
]

for (const [recentAdds, pendingClaims, expected] of ADDS)
  test(`after ${recentAdds} adds, with ${pendingClaims} claims waiting: ${expected ?? 'added'}`, () => {
    const limits = { addsPerNamePerHour: 5, pendingClaimsPerName: 3 }
    assert.equal(obstacleToAdding({ recentAdds, pendingClaims }, limits), expected)
  })
