import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { temporaryDirectory } from '../../../test/directories.ts'
import { type LogFile, type LogFiles, systemFiles } from './file.ts'
import { encodeHeader, encodeRecords } from './format.ts'
import { ZoneLog, type ZoneLogOptions } from './zone-log.ts'

const META = Buffer.from('test')
const KEYS = ['a.test', 'b.test', 'c.test', 'xn--bcher-kva.test', `${'long.'.repeat(48)}test`]

async function logIn(directory: string, options: Partial<ZoneLogOptions> = {}): Promise<ZoneLog> {
  const path = join(directory, 'zones.log')
  const log = new ZoneLog({ path, meta: META, now: () => 0, onError: assert.ifError, ...options })
  await log.open(() => undefined)
  return log
}

type Entry = readonly [key: string, payload: string | undefined]
const octets = (entries: readonly Entry[]) =>
  entries.map(
    ([key, payload]) => [key, payload === undefined ? undefined : Buffer.from(payload)] as const,
  )

/** What the next process finds, its mark included. */
async function reread(
  directory: string,
  options: Partial<ZoneLogOptions> = { onError: () => undefined },
): Promise<Record<string, string>> {
  const path = join(directory, 'zones.log')
  await using log = new ZoneLog({
    path,
    meta: META,
    now: () => 0,
    onError: assert.ifError,
    ...options,
  })
  const content: Record<string, string> = {}
  await log.open((key, payload) => {
    if (payload) content[key] = Buffer.from(payload).toString()
    else delete content[key]
  })
  return { ...content, ...(log.mark && { mark: log.mark.mark }) }
}

const mark = (number: number) => ({ mark: String(number), database: 'one' })

describe('what is added is there after a restart', () => {
  test('the latest of each name, but for what was removed', async () => {
    await using directory = await temporaryDirectory()
    {
      await using log = await logIn(directory.path)
      assert.equal(log.size, 0)
      await log.append(
        octets([
          ['a.test', 'one'],
          ['b.test', 'two'],
          ['a.test', 'three'],
        ]),
      )
      await log.append(
        octets([
          ['b.test', undefined],
          ['c.test', ''],
          ['gone.test', undefined],
        ]),
      )
      await log.complete(mark(7))
      await log.append(octets([['b.test', 'four']]))
    }
    assert.deepEqual(await reread(directory.path), {
      'a.test': 'three',
      'b.test': 'four',
      'c.test': '',
      mark: '7',
    })
    assert.equal((await stat(join(directory.path, 'zones.log'))).mode & 0o777, 0o600)
  })

  test('a record larger than a slice, and thousands of small ones', async () => {
    await using directory = await temporaryDirectory()
    const large = 'x'.repeat(3_000_000)
    const many = Array.from(
      { length: 20_000 },
      (_, index) => [`n${index}.test`, `${index}`] as const,
    )
    {
      await using log = await logIn(directory.path)
      await log.append(octets([['large.test', large], ...many, ['other.test', large]]))
      await log.append(octets(many.slice(0, 7000).map(([key]) => [key, undefined])))
      await log.append(octets(many.slice(7000, 9000).map(([key]) => [key, 'again'])))
    }
    const expected: Record<string, string> = { 'large.test': large, 'other.test': large }
    for (const [key, payload] of many.slice(7000)) expected[key] = payload
    for (const [key] of many.slice(7000, 9000)) expected[key] = 'again'
    assert.deepEqual(await reread(directory.path), expected)
  })

  test('a log whose payloads are of another kind is begun anew', async () => {
    await using directory = await temporaryDirectory()
    {
      await using log = await logIn(directory.path, { meta: Buffer.from('older') })
      await log.append(octets([['a.test', 'one']]))
    }
    assert.deepEqual(await reread(directory.path), {})
  })

  test('names that were not added since are named', async () => {
    await using directory = await temporaryDirectory()
    await using log = await logIn(directory.path)
    await log.append(
      octets([
        ['a.test', 'one'],
        ['b.test', 'two'],
        ['c.test', 'three'],
      ]),
    )
    await log.clearSeen()
    await log.append(octets([['b.test', 'two']]))
    await log.append(
      octets([
        ['d.test', 'four'],
        ['c.test', undefined],
      ]),
    )
    assert.deepEqual([...log.unseen()], ['a.test'])
  })
})

const step = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.constantFrom(...KEYS), fc.string({ maxLength: 40 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...KEYS), fc.constant(undefined)) },
  { weight: 1, arbitrary: fc.nat(1000) },
)
type Step = Entry | number

/** The whole file, and after each of its records: where it ends, and what is there then. */
function fileOf(steps: readonly Step[]): {
  file: Buffer
  states: [number, Record<string, string>][]
} {
  let file: Buffer = encodeHeader(META)
  let state: Record<string, string> = {}
  const states: [number, Record<string, string>][] = [[file.length, state]]
  for (const step of steps) {
    const [key, payload] = typeof step === 'number' ? ['', JSON.stringify(mark(step))] : step
    const kind = typeof step === 'number' ? 'mark' : payload === undefined ? 'delete' : 'set'
    file = Buffer.concat([
      file,
      encodeRecords([{ kind, key, payload: Buffer.from(payload ?? '') }]).octets,
    ])
    state = {
      ...state,
      [kind === 'mark' ? 'mark' : key]: kind === 'mark' ? `${step}` : (payload ?? ''),
    }
    if (kind === 'delete') delete state[key]
    states.push([file.length, state])
  }
  return { file, states }
}

describe('of a damaged log, what is read is what was there at some moment', () => {
  test('cut anywhere: all whole records before', async () => {
    await using directory = await temporaryDirectory()
    const property = fc.asyncProperty(fc.array(step), fc.nat(), async (steps, at) => {
      const { file, states } = fileOf(steps)
      const size = at % (file.length + 1)
      await writeFile(join(directory.path, 'zones.log'), file.subarray(0, size))
      const expected = states.findLast(([end]) => end <= size)?.[1] ?? {}
      assert.deepEqual(await reread(directory.path), expected)
      // What is added next stands behind them.
      await using log = await logIn(directory.path)
      await log.append(octets([['next.test', 'next']]))
      assert.deepEqual(await reread(directory.path), { ...expected, 'next.test': 'next' })
    })
    await fc.assert(property, { numRuns: 150 })
  })

  test('a bit turned anywhere: all records before, and none that was not written', async () => {
    await using directory = await temporaryDirectory()
    const property = fc.asyncProperty(
      fc.array(step),
      fc.nat(),
      fc.nat(7),
      async (steps, at, bit) => {
        const { file, states } = fileOf(steps)
        const place = at % file.length
        file[place]! ^= 1 << bit
        await writeFile(join(directory.path, 'zones.log'), file)
        const found = await reread(directory.path)
        const before = states.findLastIndex(([end]) => end <= place)
        // The zeros that fill up a record say nothing, so that those behind it still hold.
        const possible = [states[before]?.[1] ?? {}, states.at(-1)![1]]
        assert.ok(possible.some((state) => isEqual(state, found)))
      },
    )
    await fc.assert(property, { numRuns: 300 })
  })

  test('noise: nothing, and it can be written', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'zones.log')
    const noises = [
      Buffer.alloc(0),
      Buffer.alloc(5000),
      Buffer.alloc(3000, 0xff),
      Buffer.from('MSZONES\n'),
    ]
    const noisy = Buffer.concat([encodeHeader(META), Buffer.alloc(5000, 0xff)])
    for (const noise of [...noises, noisy]) {
      await writeFile(path, noise)
      {
        await using log = await logIn(directory.path, { onError: () => undefined })
        await log.append(octets([['a.test', 'one']]))
      }
      assert.deepEqual(await reread(directory.path), { 'a.test': 'one' })
    }
  })
})

function isEqual(one: Record<string, string>, other: Record<string, string>): boolean {
  const sorted = (of: Record<string, string>) => JSON.stringify(Object.entries(of).toSorted())
  return sorted(one) === sorted(other)
}

const WRITER = `
  import { ZoneLog } from '${import.meta.dirname}/zone-log.ts'
  const log = new ZoneLog({
    path: process.argv[1], meta: Buffer.from('test'), now: () => 0, onError: console.error,
  })
  await log.open(() => undefined)
  for (let round = 0; ; round++) {
    const entries = Array.from({ length: 50 }, (_, index) => ['n' + index + '.test', Buffer.from(round + ' '.repeat(index * 40))])
    await log.append(entries)
    await log.complete({ mark: String(round), database: 'one' })
    if (process.argv[2] === 'compacting') await log.compact()
    console.log(round)
  }`

/** A process that goes on writing until it is killed. */
function startWriter(directory: string, how: string): ChildProcess {
  const args = ['--input-type=module', '-e', WRITER, join(directory, 'zones.log'), how]
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}

for (const how of ['appending', 'compacting']) {
  test(`killed while ${how}, it loses nothing that was said to be written`, async () => {
    await using directory = await temporaryDirectory()
    let round = 0
    for (const rounds of [1, 7, 23]) {
      const writer = startWriter(directory.path, how)
      for await (const line of createInterface({ input: writer.stdout! })) {
        round = Number(line)
        if (round >= rounds) break
      }
      writer.kill('SIGKILL')
      if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
      const { mark, ...names } = await reread(directory.path)
      assert.ok(Number(mark) >= round, `of ${round} there is ${mark}`)
      assert.equal(Object.keys(names).length, 50)
      // Those behind the mark may be of the round that was under way.
      for (const payload of Object.values(names))
        assert.ok(parseInt(payload, 10) - Number(mark) <= 1)
      assert.deepEqual(await readdir(directory.path), ['zones.log'])
    }
  })
}

describe('compaction', () => {
  test('keeps what is there, also what is added meanwhile, and makes the file small', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'zones.log')
    const expected: Record<string, string> = { mark: '9' }
    {
      await using log = await logIn(directory.path)
      for (let round = 0; round < 30; round++)
        await log.append(octets(KEYS.map((key) => [key, `${round}${'x'.repeat(10_000)}`])))
      await log.complete(mark(9))
      const before = (await stat(path)).size
      const compacting = log.compact()
      const meanwhile = log.append(
        octets([
          [KEYS[0]!, 'late'],
          [KEYS[1]!, undefined],
          ['new.test', 'new'],
        ]),
      )
      await Promise.all([compacting, meanwhile])
      assert.ok((await stat(path)).size < before / 5)
      for (const key of KEYS.slice(2)) expected[key] = `29${'x'.repeat(10_000)}`
      Object.assign(expected, { [KEYS[0]!]: 'late', 'new.test': 'new' })
      assert.deepEqual(await reread(directory.path), expected)
      await log.append(octets([['after.test', 'after']]))
    }
    assert.deepEqual(await reread(directory.path), { ...expected, 'after.test': 'after' })
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  })

  test('comes by itself once most records are outdated', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'zones.log')
    const names = Array.from({ length: 1000 }, (_, index) => [`n${index}.test`, 'same'] as const)
    {
      await using log = await logIn(directory.path)
      for (let round = 0; round < 12; round++) await log.append(octets(names))
      log.tidy()
      await log.clearSeen() // It waits for the end.
      assert.ok((await stat(path)).size < 100_000)
    }
    assert.equal(Object.keys(await reread(directory.path)).length, 1000)
  })
})

/** A disk that has no room for more than `room` octets in all. */
function smallDisk(disk: { room: number }): LogFiles {
  const full = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  return {
    ...systemFiles,
    async open(path, flags): Promise<LogFile> {
      const file = await systemFiles.open(path, flags)
      return {
        ...file,
        async write(octets, at) {
          const fitting = octets.subarray(0, Math.max(0, disk.room - at))
          if (fitting.length > 0) await file.write(fitting, at)
          if (fitting.length < octets.length) throw full()
        },
      }
    },
  }
}

describe('a disk that cannot be written', () => {
  test('because it is full leaves the log behind, and it goes on where it was', async () => {
    await using directory = await temporaryDirectory()
    const disk = { room: 200 }
    const errors: unknown[] = []
    let now = 0
    {
      await using log = await logIn(directory.path, {
        files: smallDisk(disk),
        now: () => now,
        onError: (error) => errors.push(error),
      })
      await log.append(octets([['a.test', 'one']]))
      await log.complete(mark(1))
      await log.append(octets([['b.test', 'x'.repeat(500)]]))
      await log.append(octets([['c.test', 'three']]))
      assert.deepEqual([log.isBehind, log.isRested, errors.length], [true, false, 1])
      now = 600_000
      assert.equal(log.isRested, true)
      disk.room = 10_000
      await log.tryAgain()
      assert.equal(log.isBehind, false)
      await log.append(
        octets([
          ['b.test', 'two'],
          ['c.test', 'three'],
        ]),
      )
      await log.complete(mark(2))
    }
    assert.deepEqual(await reread(directory.path), {
      'a.test': 'one',
      'b.test': 'two',
      'c.test': 'three',
      mark: '2',
    })
  })

  test('because it is full costs a compaction, and what was there stays', async () => {
    await using directory = await temporaryDirectory()
    const disk = { room: 100_000 }
    const errors: unknown[] = []
    {
      await using log = await logIn(directory.path, {
        files: smallDisk(disk),
        onError: (error) => errors.push(error),
      })
      await log.append(
        octets([
          ['a.test', 'one'],
          ['b.test', 'y'.repeat(500)],
        ]),
      )
      disk.room = 300
      await log.compact()
      assert.equal(errors.length, 1)
      assert.deepEqual(Object.keys(await reread(directory.path)), ['a.test', 'b.test'])
    }
    assert.deepEqual(await readdir(directory.path), ['zones.log'])
  })

  test('because nobody may write to it can be read', async () => {
    await using directory = await temporaryDirectory()
    {
      await using log = await logIn(directory.path)
      await log.append(octets([['a.test', 'one']]))
    }
    const refuse = () =>
      Promise.reject(Object.assign(new Error('EROFS: read-only'), { code: 'EROFS' }))
    const files: LogFiles = {
      ...systemFiles,
      remove: refuse,
      open: (path, flags) => (flags === 'r' ? systemFiles.open(path, flags) : refuse()),
    }
    const errors: unknown[] = []
    await using log = await logIn(directory.path, { files, onError: (error) => errors.push(error) })
    assert.deepEqual([log.size, log.isBehind, errors.length], [1, true, 1])
    assert.deepEqual(await reread(directory.path, { files, onError: () => undefined }), {
      'a.test': 'one',
    })
    await log.append(octets([['b.test', 'two']]))
    await log.tryAgain()
    assert.equal(errors.length, 2)
  })

  test('because another process writes it can be read, and is written once that has ended', async () => {
    await using directory = await temporaryDirectory()
    const errors: unknown[] = []
    let isHeld = true
    const lock = async () => {
      if (isHeld) throw new Error('held')
      return { [Symbol.asyncDispose]: async () => undefined }
    }
    await using writer = await logIn(directory.path)
    await writer.append(octets([['a.test', 'one']]))
    const path = join(directory.path, 'zones.log')
    await writeFile(`${path}.new`, 'a compaction under way')
    await using other = await logIn(directory.path, {
      lock,
      onError: (error) => errors.push(error),
    })
    assert.deepEqual([other.size, other.isBehind, errors.length], [1, true, 1])
    assert.equal(await readFile(`${path}.new`, 'utf8'), 'a compaction under way')
    await writer.append(octets([['b.test', 'two']]))
    isHeld = false
    await other.tryAgain()
    await other.append(octets([['c.test', 'three']]))
    assert.deepEqual(await reread(directory.path), {
      'a.test': 'one',
      'b.test': 'two',
      'c.test': 'three',
    })
  })

  test('and has none leaves a log that keeps nothing', async () => {
    const errors: unknown[] = []
    await using log = await logIn('/proc/nowhere', { onError: (error) => errors.push(error) })
    await log.append(octets([['a.test', 'one']]))
    await log.complete(mark(1))
    assert.deepEqual([log.size, log.mark], [0, undefined])
    assert.equal(log.isBehind, true)
    assert.equal(errors.length, 1)
  })
})

test('a file that shrinks under it is noticed, not believed', async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'zones.log')
  const errors: unknown[] = []
  {
    await using log = await logIn(directory.path, { onError: (error) => errors.push(error) })
    await log.append(
      octets([
        ['a.test', 'one'],
        ['b.test', 'two'],
      ]),
    )
    await truncate(path, (await stat(path)).size - 8)
    await log.compact()
    assert.equal(errors.length, 1)
  }
  assert.deepEqual(await reread(directory.path), { 'a.test': 'one' })
  assert.ok((await readFile(path)).length > 0)
})
