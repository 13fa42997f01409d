import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { temporaryDirectory } from '../../test/directories.ts'
import { closedToOthers, missing } from '../../test/needs.ts'
import { readIfPresent } from '../files.ts'
import type { Connection } from './database.ts'
import { type PostgresOptions, startPostgres } from './embedded.ts'
import { commandOf } from './processes.ts'

const IS_ROOT = process.getuid?.() === 0
const NOBODY = { uid: 65534, gid: 65534 }
const DEBIAN_15 = '/usr/lib/postgresql/15/bin'
const withoutDebian15 = missing('Postgres 15 (Debian: postgresql-15)', () => existsSync(DEBIAN_15))
const PID_FILE = 'cluster/postmaster.pid'
const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
const ROOT_ONLY = { skip: !IS_ROOT && 'only root can change the user' }
const AS_ANOTHER = { skip: IS_ROOT ? (closedToOthers() ?? false) : ROOT_ONLY.skip }
const AS_ANOTHER_IF_ROOT = { skip: IS_ROOT && (closedToOthers() ?? false) }
const LINUX_ONLY = { skip: process.platform !== 'linux' && 'needs setpriv and /proc' }

/** A data directory after its first start, copied where the first start is not the question. */
let finished: Awaited<ReturnType<typeof temporaryDirectory>>

before(async () => {
  finished = await temporaryDirectory()
  await (await start(finished.path))[Symbol.asyncDispose]()
})

after(() => finished[Symbol.asyncDispose]())

describe('a start', { concurrency: true }, () => {
  test('makes the database once; the second start finds it, quickly', async (t) => {
    await using place = await temporaryDirectory()
    const first = performance.now()
    {
      await using server = await start(place.path)
      t.diagnostic(`first start: ${ms(first)}`)
      await query(server.connection, "create table kept as select 'ü' as word")
    }
    const second = performance.now()
    await using server = await start(place.path)
    t.diagnostic(`second start: ${ms(second)}`)
    assert.deepEqual(await query(server.connection, 'select * from kept'), [{ word: 'ü' }])
  })

  test('opens nothing to the network or to other users, whatever the settings', async () => {
    await using place = await directoryWithCluster()
    const settings = { ...FAST, listen_addresses: '*', unix_socket_permissions: '0777' }
    await using server = await start(place.path, { settings })
    const { host, password } = server.connection
    assert.deepEqual(await query(server.connection, 'show listen_addresses'), [
      { listen_addresses: '' },
    ])
    assert.equal((await stat(host)).mode & 0o777, 0o700)
    assert.equal((await stat(join(host, '.s.PGSQL.5432'))).mode & 0o777, 0o700)
    assert.equal((await stat(join(place.path, 'password'))).mode & 0o777, 0o600)
    const wrong = { ...server.connection, password: `${password}x` }
    await assert.rejects(query(wrong, 'select'), { code: '28P01' })
  })

  test('works below a directory of mode 0700', LINUX_ONLY, async () => {
    await using place = await temporaryDirectory()
    await mkdir(join(place.path, 'closed'), { mode: 0o700 })
    await using server = await start(join(place.path, 'closed', 'data'))
    assert.deepEqual(await query(server.connection, 'select 1 as one'), [{ one: 1 }])
  })

  test('without the capability names the directory to open', ROOT_ONLY, async () => {
    await using place = await temporaryDirectory()
    await chmod(place.path, 0o755)
    const closed = join(place.path, 'closed')
    await mkdir(closed, { mode: 0o700 })
    const incapable = ['setpriv', '--bounding-set', '-dac_read_search', '--']
    await using child = supervise(join(closed, 'data'), { wrapper: incapable })
    assert.match(await child.failure(), new RegExp(`chmod o\\+x '${closed}'`))
  })

  test('works for an ordinary user', AS_ANOTHER, async () => {
    await using place = await temporaryDirectory()
    await chown(place.path, NOBODY.uid, NOBODY.gid)
    await using child = supervise(place.path, { user: NOBODY })
    const { connection } = await child.started()
    assert.deepEqual(await query(connection, 'select 1 as one'), [{ one: 1 }])
  })

  test('puts the socket of a long path elsewhere, the same after a crash', async () => {
    await using place = await temporaryDirectory()
    const dataDir = join(place.path, 'long'.repeat(25))
    await copyCluster(dataDir)
    await using child = supervise(dataDir)
    const { connection } = await child.started()
    await child.kill()
    const server = await start(dataDir)
    assert.equal(dirname(connection.host), tmpdir())
    assert.equal(server.connection.host, connection.host)
    await server[Symbol.asyncDispose]()
    assert.equal(existsSync(connection.host), false)
  })

  test("runs Debian's Postgres 15", { skip: withoutDebian15 ?? false }, async () => {
    await using place = await temporaryDirectory()
    await using server = await start(place.path, { binDir: DEBIAN_15 })
    const [row] = await query(server.connection, 'show server_version')
    assert.match(String(row?.server_version), /^15\./)
  })

  test('that Postgres refuses throws its last words and leaves nothing behind', async () => {
    await using place = await directoryWithCluster()
    await assert.rejects(start(place.path, { settings: { max_connections: 'many' } }), {
      message: /ended at its start \(exit code 1\):\n.*invalid value .*"max_connections": "many"/s,
    })
    assert.equal(existsSync(join(place.path, 'supervisor.pid')), false)
    await using _ = await start(place.path)
  })

  test('with a foreign password says so at once', async () => {
    await using place = await directoryWithCluster()
    await writeFile(join(place.path, 'password'), 'foreign')
    await assert.rejects(start(place.path), { code: '28P01' })
    await rm(join(place.path, 'password'))
    await assert.rejects(start(place.path), { message: /password .* is lost/ })
    assert.equal(existsSync(join(place.path, 'cluster', 'PG_VERSION')), true)
  })

  test('may be given up at any moment', async () => {
    await using place = await temporaryDirectory()
    for (const afterMs of [0, 200, 10_000, 0, 20, 40, 60, 80]) {
      const signal = AbortSignal.timeout(afterMs)
      await start(place.path, { signal }).then(
        (server) => server[Symbol.asyncDispose](),
        (error) => assert.equal(error, signal.reason),
      )
      assert.equal(existsSync(join(place.path, 'supervisor.pid')), false)
      assert.equal(await serverOf(place.path), '')
    }
  })
})

describe('after kill -9 of our process', { concurrency: true }, () => {
  test('no server is left and no data is lost', LINUX_ONLY, async () => {
    await using place = await directoryWithCluster()
    await using child = supervise(place.path)
    const { connection, pid } = await child.started()
    await query(connection, 'create table kept as select 1 as one')
    const pids = [pid, ...(await childrenOf(pid))]
    await child.kill()
    await eventually(async () => (await Promise.all(pids.map(commandOf))).join('') === '')
    await using server = await start(place.path)
    assert.deepEqual(await query(server.connection, 'select * from kept'), [{ one: 1 }])
  })

  test('the next start need not wait for that', async () => {
    await using place = await directoryWithCluster()
    await using child = supervise(place.path)
    await child.started()
    await child.kill()
    await using server = await start(place.path)
    assert.deepEqual(await query(server.connection, 'select 1 as one'), [{ one: 1 }])
  })

  test(
    'the next start ends a server that lived on, as without setpriv',
    AS_ANOTHER_IF_ROOT,
    async () => {
      await using place = await directoryWithCluster()
      await chmod(place.path, 0o755)
      await using path = await pathWithId()
      await using child = supervise(place.path, { env: { PATH: path.path } })
      const { pid } = await child.started()
      await child.kill()
      await sleep(100)
      assert.match(await commandOf(pid), /postgres -D/)
      await using server = await start(place.path)
      assert.notEqual(server.pid, pid)
      assert.equal(await commandOf(pid), '')
    },
  )

  test('an unfinished first start is begun again', async () => {
    await using place = await temporaryDirectory()
    await using child = supervise(place.path)
    const drafts = async () => (await readdir(place.path)).filter((name) => /^cluster\./.test(name))
    await eventually(async () => (await drafts()).length === 1)
    await sleep(100)
    await child.kill()
    assert.equal(existsSync(join(place.path, 'cluster')), false)
    await using _ = await start(place.path)
    assert.deepEqual(await drafts(), [])
  })

  test('notes that name a pid used again stop nobody and harm nobody', async () => {
    await using place = await directoryWithCluster()
    await using bystander = sleeper()
    const paths = [PID_FILE, 'run/.s.PGSQL.5432.lock'].map((name) => join(place.path, name))
    const server = await start(place.path)
    const notes = await Promise.all(paths.map((path) => readFile(path, 'utf8')))
    await server[Symbol.asyncDispose]()
    for (const [index, note] of notes.entries()) {
      await writeFile(paths[index]!, note.replace(/^\d+/, String(bystander.child.pid)))
    }
    await (await start(place.path))[Symbol.asyncDispose]()
    await writeFile(paths[0]!, '')
    await using _ = await start(place.path)
    assert.equal(bystander.child.exitCode ?? bystander.child.signalCode, null)
  })
})

describe('a data directory', { concurrency: true }, () => {
  test('has one supervisor; a second is refused and harms nothing', async () => {
    await using place = await directoryWithCluster()
    const server = await start(place.path)
    const refusal = /Another Mailstead \(process \d+\) uses this data directory/
    await symlink('.', join(place.path, 'alias'))
    await assert.rejects(start(place.path), { message: refusal })
    await assert.rejects(start(join(place.path, 'alias')), { message: refusal })
    await using child = supervise(place.path)
    assert.match(await child.failure(), refusal)
    assert.deepEqual(await query(server.connection, 'select 1 as one'), [{ one: 1 }])
    await server[Symbol.asyncDispose]()
    await using _ = await start(place.path)
  })

  test('of a dead supervisor goes to exactly one of several that come at once', async () => {
    await using place = await directoryWithCluster()
    // A living process, but not the one that took the lock.
    await writeFile(join(place.path, 'supervisor.pid'), `${process.pid} other-boot/1\n`)
    const starts = await Promise.allSettled([1, 2, 3, 4].map(() => start(place.path)))
    const servers = starts.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    for (const server of servers) await server[Symbol.asyncDispose]()
    assert.equal(servers.length, 1)
    assert.deepEqual(
      (await readdir(place.path)).filter((name) => name.startsWith('supervisor')),
      [],
    )
  })
})

describe('a server that dies', { concurrency: true }, () => {
  test('is started again under the same connection', async () => {
    await using place = await directoryWithCluster()
    const log: string[] = []
    const options = { settings: { fsync: 'off' }, onLog: (line: string) => log.push(line) }
    await using server = await start(place.path, options)
    await query(server.connection, 'create table kept as select 1 as one')
    const before = server.pid!
    process.kill(before, 'SIGKILL')
    await eventually(async () => server.pid !== undefined && server.pid !== before)
    assert.deepEqual(await query(server.connection, 'select * from kept'), [{ one: 1 }])
    assert.ok(log.includes('Postgres ended by itself (SIGKILL); Mailstead restarts it in 100 ms'))
  })
})

describe('disposing', { concurrency: true }, () => {
  test('ends the server, also one with busy clients, and may be repeated', async () => {
    await using place = await directoryWithCluster()
    const server = await start(place.path)
    const pid = server.pid!
    const busy = assert.rejects(query(server.connection, 'select pg_sleep(60)'))
    await sleep(50)
    await Promise.all([server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()])
    assert.equal(await commandOf(pid), '')
    await busy
    await server[Symbol.asyncDispose]()
    assert.equal(server.pid, undefined)
  })

  test('while the server is started again ends that, too', async () => {
    await using place = await directoryWithCluster()
    const server = await start(place.path)
    process.kill(server.pid!, 'SIGKILL')
    await eventually(async () => server.pid === undefined)
    await sleep(120)
    await server[Symbol.asyncDispose]()
    assert.equal(await serverOf(place.path), '')
  })
})

function start(dataDir: string, options: Partial<PostgresOptions> = {}) {
  return startPostgres({ dataDir, settings: FAST, onLog: () => {}, ...options })
}

async function query(connection: Connection, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

async function directoryWithCluster() {
  const directory = await temporaryDirectory()
  await copyCluster(directory.path)
  return directory
}

async function copyCluster(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  await promisify(execFile)('cp', ['-Rp', `${finished.path}/.`, dataDir])
}

async function pathWithId() {
  const directory = await temporaryDirectory()
  await symlink('/usr/bin/id', join(directory.path, 'id'))
  return directory
}

/** The main program of another process: supervises until killed. */
const MAIN = `
  import { startPostgres } from ${JSON.stringify(new URL('embedded.ts', import.meta.url))}
  const options = JSON.parse(process.argv[1])
  const { connection, pid } = await startPostgres({ ...options, onLog () {} })
  console.log(JSON.stringify({ connection, pid }))
`

type Surroundings = {
  readonly wrapper?: readonly string[]
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly env?: NodeJS.ProcessEnv
}

function supervise(dataDir: string, { wrapper = [], user, env }: Surroundings = {}) {
  const main = ['--input-type=module', '-e', MAIN, JSON.stringify({ dataDir, settings: FAST })]
  const [file = '', ...args] = [...wrapper, process.execPath, ...main]
  const child = spawn(file, args, { ...user, env: { ...process.env, ...env } })
  const errors: string[] = []
  child.stderr.on('data', (chunk) => errors.push(String(chunk)))
  const ended = once(child, 'close')
  const started = async (): Promise<{ connection: Connection; pid: number }> => {
    for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line)
    throw new Error(errors.join(''))
  }
  const failure = async () => {
    await ended
    return errors.join('')
  }
  const kill = () => killed(child)
  return { started, failure, kill, [Symbol.asyncDispose]: kill }
}

/** A process that has nothing to do with us, of the user that the server runs as. */
function sleeper() {
  const child = spawn('sleep', ['60'], { stdio: 'ignore', ...(IS_ROOT ? NOBODY : {}) })
  return { child, [Symbol.asyncDispose]: () => killed(child) }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function childrenOf(pid: number): Promise<number[]> {
  const pids = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return pids.trim().split(' ').map(Number)
}

/** The command of the server that runs on a data directory; empty if none does. */
async function serverOf(dataDir: string): Promise<string> {
  const note = await readIfPresent(join(dataDir, PID_FILE))
  const command = note ? await commandOf(Number.parseInt(note, 10)) : ''
  return command.includes(dataDir) ? command : ''
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'it did not happen within 10 s')
    await sleep(5)
  }
}

function ms(since: number): string {
  return `${(performance.now() - since).toFixed()} ms`
}
