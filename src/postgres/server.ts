// Runs the Postgres server once: ends an orphan of an earlier run, starts the server, and ends it.
import type { ChildProcess } from 'node:child_process'
import { addAbortListener } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, spawnAs } from './account.ts'
import { type Connection, openDatabase, stateBehind } from './database.ts'
import { endOrphan } from './orphan.ts'
import { ENDING_OF_POSTGRES, type Ending, endServer } from './processes.ts'

const POLL_MS = 20
const READY_LIMIT_MS = 30_000
/** A server that answers "starting up" replays its WAL. If we ended it, it would begin again. */
const RECOVERY_LIMIT_MS = 600_000
const LAST_LOG_LIMIT_MS = 500
const LAST_LOG_LINES = 20

/** The parameters of a run. */
export type ServerPlan = {
  readonly account: Account
  readonly binDir: string
  readonly cluster: string
  readonly connection: Connection
  readonly settings: Readonly<Record<string, string>>
  readonly onLog: (line: string) => void
}

/** A server process; disposing ends it, within the limits of its `Ending`. */
export type Server = AsyncDisposable & {
  readonly pid: number | undefined
  /** How it ended, as in `exit code 1` or `SIGKILL`; undefined while it runs. */
  readonly howEnded: string | undefined
  /** Settles with `howEnded`. */
  readonly ended: Promise<string>
  /** The last lines of its log. */
  readonly lastLogLines: () => Promise<string>
}

/**
 * Starts the server and waits until it answers and the database exists: 30 s, or 600 s while it recovers from
 * a crash. Throws, with nothing left running, if it ends before that (with its last log), is too slow, or
 * `signal` aborts.
 */
export async function launchServer(plan: ServerPlan, signal: AbortSignal): Promise<Server> {
  await endOrphan(plan.cluster, plan.connection.host)
  signal.throwIfAborted()
  await using undo = new AsyncDisposableStack()
  const server = undo.use(spawnPostgres(plan))
  // The end of the server also ends `untilReady`.
  using _ = addAbortListener(signal, () => server[Symbol.asyncDispose]())
  await untilReady(server, plan.connection, signal)
  undo.move()
  return server
}

async function untilReady(server: Server, connection: Connection, signal: AbortSignal) {
  const startedAt = performance.now()
  while (!(await answers(connection, performance.now() - startedAt))) {
    signal.throwIfAborted()
    if (server.howEnded !== undefined) throw await prematureEnd(server)
    await sleep(POLL_MS)
  }
  signal.throwIfAborted()
}

/** False while the server is not ready. Throws if it refuses or takes too long. */
async function answers(connection: Connection, elapsedMs: number): Promise<boolean> {
  try {
    await openDatabase(connection)
    return true
  } catch (cause) {
    const state = stateBehind(cause)
    if (state === 'refusing') throw cause
    const limitMs = state === 'recovering' ? RECOVERY_LIMIT_MS : READY_LIMIT_MS
    if (elapsedMs < limitMs) return false
    throw new Error(`Postgres was not ready within ${limitMs / 1000} s`, { cause })
  }
}

async function prematureEnd({ howEnded, lastLogLines }: Server): Promise<Error> {
  return new Error(`Postgres ended at its start (${howEnded}):\n${await lastLogLines()}`)
}

function spawnPostgres({ account, binDir, cluster, settings, onLog }: ServerPlan): Server {
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const argv = [join(binDir, 'postgres'), '-D', cluster, ...options]
  return spawnServer({ account, argv, ending: ENDING_OF_POSTGRES, onLog })
}

export type Spawning = {
  readonly account: Account
  readonly argv: readonly string[]
  readonly ending: Ending
  readonly onLog: (line: string) => void
}

/** Starts a server, and follows its log. */
export function spawnServer({ account, argv, ending, onLog }: Spawning): Server {
  const child = spawnAs(account, argv)
  const lastLogLines = follow(child, onLog)
  let howEnded: string | undefined
  const ended = untilEnd(child).then((how) => (howEnded = how))
  const end = () => child.pid && endServer(child.pid, async () => howEnded === undefined, ending)
  return {
    pid: child.pid,
    ended,
    get howEnded() {
      return howEnded
    },
    lastLogLines,
    [Symbol.asyncDispose]: async () => void (await end()),
  }
}

function untilEnd(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
}

function follow(child: ChildProcess, onLog: (line: string) => void): () => Promise<string> {
  const tail: string[] = []
  const keep = (line: string) => {
    tail.push(line)
    if (tail.length > LAST_LOG_LINES) tail.shift()
    onLog(line)
  }
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null)
  for (const input of streams) createInterface({ input }).on('line', keep)
  return async () => {
    // A process may be seen to end before its last output; a child of it may keep the pipe open.
    await Promise.race([Promise.all(streams.map(untilClosed)), sleep(LAST_LOG_LIMIT_MS)])
    return tail.join('\n')
  }
}

async function untilClosed(stream: Readable): Promise<void> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
}
