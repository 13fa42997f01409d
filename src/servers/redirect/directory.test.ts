import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { RedirectDirectory, type ServedRedirect } from './directory.ts'

const to = (targetDomain: string) => ({
  targetDomain,
  statusCode: 301,
  preservePath: true,
  preserveQueryString: true,
})

/** Rows that change, a bell that rings, and a database that can go away. */
function feeding(first: Record<string, string | undefined>) {
  const changes: Record<string, string | undefined>[] = [first]
  const state = { isAway: false, heard: () => undefined as unknown, troubles: [] as unknown[] }
  const current = () => Object.assign({}, ...changes) as Record<string, string | undefined>
  const feed = {
    async changed(mark: string) {
      if (state.isAway) throw new Error('away')
      const names = changes.slice(Number(mark)).flatMap(Object.keys)
      return { names, mark: String(changes.length), database: 'one' }
    },
    async read(names: readonly string[]): Promise<ServedRedirect[]> {
      await delay(5)
      if (state.isAway) throw new Error('away')
      return names.map((name) => ({
        name,
        redirect: current()[name] ? to(current()[name]!) : undefined,
      }))
    },
    onChange(heard: () => void) {
      state.heard = heard
      return { [Symbol.dispose]: () => undefined }
    },
  }
  const directory = new RedirectDirectory(feed, (error) => state.troubles.push(error))
  const change = (more: Record<string, string | undefined>) => {
    changes.push(more)
    state.heard()
  }
  const find = (host: string) => directory.find(host)?.targetDomain
  return { directory, state, change, find }
}

test('it knows all there are when it starts, with www below each', async () => {
  const { directory, find } = feeding({ 'a.test': 'x.example', 'b.test': undefined })
  await using _directory = directory
  await directory.start()
  assert.deepEqual(
    ['a.test', 'www.a.test', 'b.test', 'www.www.a.test', 'awww.a.test', 'a.test.b'].map(find),
    ['x.example', 'x.example', undefined, undefined, undefined, undefined],
  )
})

test('www has its own where it is a domain of its own', async () => {
  const { directory, find } = feeding({ 'a.test': 'x.example', 'www.a.test': 'y.example' })
  await using _directory = directory
  await directory.start()
  assert.deepEqual(['a.test', 'www.a.test'].map(find), ['x.example', 'y.example'])
})

test('a change is followed when the bell rings, and one that comes while it reads right after', async () => {
  const { directory, change, find } = feeding({ 'a.test': 'x.example' })
  await using _directory = directory
  await directory.start()
  change({ 'a.test': 'y.example' })
  change({ 'a.test': undefined, 'b.test': 'z.example' })
  await delay(100)
  assert.deepEqual(['a.test', 'b.test'].map(find), [undefined, 'z.example'])
})

test('a lost bell costs a second', async () => {
  const { directory, state, change, find } = feeding({})
  await using _directory = directory
  await directory.start()
  state.heard = () => undefined
  change({ 'a.test': 'x.example' })
  await delay(1300)
  assert.equal(find('a.test'), 'x.example')
})

test('what is known stays while the rows cannot be read, and no change is missed', async () => {
  const { directory, state, change, find } = feeding({ 'a.test': 'x.example' })
  await using _directory = directory
  await directory.start()
  state.isAway = true
  change({ 'a.test': 'y.example' })
  await delay(100)
  assert.equal(find('a.test'), 'x.example')
  assert.ok(state.troubles.length > 0)
  state.isAway = false
  await delay(1300)
  assert.equal(find('a.test'), 'y.example')
})

test('it does not start on rows that cannot be read', async () => {
  const { directory, state } = feeding({})
  state.isAway = true
  await assert.rejects(directory.start(), /away/)
})
