import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Feed, Follower, type Journal, type Position } from './follower.ts'

type Fed = { name: string; value: string | undefined }

/** A database of names in memory: each change is a transaction, which may commit late. */
function database(identity = 'one') {
  const rows = new Map<string, { value: string; changed: number }>()
  const open = new Set<number>()
  let next = 1
  const reads: string[][] = []
  const asked: string[] = []
  const feed: Feed<Fed> = {
    async changed(mark, { after, limit }) {
      asked.push(mark)
      const names = [...rows]
        .filter(([name, { changed }]) => changed >= Number(mark) && name > after)
        .map(([name]) => name)
        .toSorted()
        .slice(0, limit)
      return { names, mark: String(Math.min(next, ...open)), database: identity }
    },
    async read(names) {
      reads.push([...names])
      return names.map((name) => ({ name, value: rows.get(name)?.value }))
    },
    onChange: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const begin = () => {
    const id = next++
    open.add(id)
    return (name: string, value: string) => {
      open.delete(id)
      rows.set(name, { value, changed: id })
    }
  }
  return { feed, reads, asked, begin, put: (name: string, value: string) => begin()(name, value) }
}

/** A journal in memory, as an earlier process left it. */
function journalOf(kept: Map<string, string>, position: Position | undefined): Journal<Fed> {
  let [reached, met] = [position, new Set<string>()]
  return {
    position: async () => reached,
    async keep(page) {
      for (const { name, value } of page) {
        met.add(name)
        if (value === undefined) kept.delete(name)
        else kept.set(name, value)
      }
    },
    async begin() {
      met = new Set()
    },
    unread: () => [...kept.keys()].filter((name) => !met.has(name)),
    async complete(position) {
      reached = position
    },
  }
}

/** Starts a follower and gives what it knows once it has started. */
async function known(feed: Feed<Fed>, journal?: Journal<Fed>): Promise<Record<string, string>> {
  const names: Record<string, string> = {}
  const take = ({ name, value }: Fed) => {
    if (value === undefined) delete names[name]
    else names[name] = value
  }
  const options = { feed, take, onError: assert.ifError, ...(journal && { journal }) }
  await using follower = new Follower<Fed>(options)
  await follower.start()
  return names
}

test('all names are read in pages, each once', async () => {
  const { feed, reads, put } = database()
  for (let index = 0; index < 2500; index++) put(`n${index}.test`, `${index}`)
  const names = await known(feed)
  assert.equal(Object.keys(names).length, 2500)
  assert.deepEqual(
    reads.map(({ length }) => length),
    [1000, 1000, 500],
  )
})

test('with a journal, what has changed since is read, and nothing else', async () => {
  const { feed, reads, put } = database()
  for (const name of ['a.test', 'b.test', 'c.test']) put(name, 'old')
  const kept = new Map<string, string>()
  const journal = journalOf(kept, undefined)
  await known(feed, journal)
  put('b.test', 'new')
  reads.length = 0
  assert.deepEqual(await known(feed, journal), { 'b.test': 'new' })
  assert.deepEqual(reads, [['b.test']])
  assert.deepEqual(Object.fromEntries(kept), { 'a.test': 'old', 'b.test': 'new', 'c.test': 'old' })
})

test('a change that commits after a later one was read is read too', async () => {
  const { feed, begin, put } = database()
  const commitLate = begin()
  put('a.test', 'one')
  const journal = journalOf(new Map(), undefined)
  await known(feed, journal)
  commitLate('late.test', 'late')
  put('b.test', 'two')
  assert.equal((await known(feed, journal))['late.test'], 'late')
})

// biome-ignore format: a table
const OTHERS: readonly [what: string, position: Position][] = [
  ['another database',                 { mark: '1', database: 'other' }],
  ['one that went back to a backup',   { mark: '1000', database: 'one' }],
]

for (const [what, position] of OTHERS) {
  test(`with a journal of ${what}, all is read, and what is not there goes`, async () => {
    const { feed, put } = database()
    put('a.test', 'here')
    put('b.test', 'here')
    const kept = new Map([
      ['b.test', 'there'],
      ['gone.test', 'there'],
    ])
    const names = await known(feed, journalOf(kept, position))
    assert.deepEqual(names, { 'a.test': 'here', 'b.test': 'here' })
    assert.deepEqual(Object.fromEntries(kept), names)
  })
}
