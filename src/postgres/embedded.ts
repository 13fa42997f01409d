// The Postgres that Mailstead brings along, used without a DATABASE_URL: a real server as a child process,
// reached by a Unix socket only.
import { mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { chooseAccount } from './account.ts'
import { platformBinDir } from './binaries.ts'
import { openCluster, USER } from './cluster.ts'
import type { Connection } from './database.ts'
import { lockDataDirectory } from './lock.ts'
import { launchServer, type ServerPlan } from './server.ts'
import { openSocketDirectory, PORT, SOCKET } from './socket-directory.ts'
import { Supervisor } from './supervisor.ts'

/** A running server. Disposing ends it, within 14 s; safe to call again. */
export type PostgresServer = AsyncDisposable & {
  /** For `pg`; `host` is the directory of the Unix socket. The same after a restart. */
  readonly connection: Connection
  /** Undefined while a dead server is being replaced, and after the last. */
  readonly pid: number | undefined
}

/** Where the server lives and how it is set up. */
export type PostgresOptions = {
  /** Created if missing. Holds everything, except a socket whose path would be too long. */
  readonly dataDir: string
  /** Of `initdb` and `postgres`, 15 or later; default: those that npm brought. */
  readonly binDir?: string
  /** Called with each line of the server's log, and when it runs again. */
  readonly onLog: (line: string) => void
  /** Called when the server ended by itself, and when it could not be started again. */
  readonly onTrouble?: (sentence: string) => void
  /** Settings of Postgres that add to ours or win. */
  readonly settings?: Readonly<Record<string, string>>
  /** Aborts the start; has no effect on a server that has started. */
  readonly signal?: AbortSignal
}

const SMALL_INSTALL = {
  autovacuum: 'on',
  fsync: 'on',
  log_min_messages: 'warning',
  max_connections: '100',
  shared_buffers: '128MB',
  synchronous_commit: 'on',
}

/**
 * Starts the server, after making its cluster the first time, and restarts it when it dies.
 * Throws, with nothing left running, if another living process supervises `dataDir`, the cluster
 * cannot be made or run, it takes too long (150 s the first time, else 30 s; 600 s to recover
 * from a crash), or `signal` aborts.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { onLog, onTrouble = onLog, signal = new AbortController().signal } = options
  signal.throwIfAborted()
  await using started = new AsyncDisposableStack()
  const plan = await prepare(options, signal, started)
  const launch = (each: AbortSignal) => launchServer(plan, each)
  const supervisor = started.use(
    new Supervisor('Postgres', await launch(signal), launch, { onLog, onTrouble }),
  )
  return handle(plan.connection, supervisor, started.move())
}

/**
 * Started by root, the server runs as the user nobody, who must traverse this directory, not list
 * it.
 */
export const DIRECTORY_MODE = process.getuid?.() === 0 ? 0o711 : 0o700

async function prepare(
  { dataDir: givenDir, binDir: givenBinDir, settings, onLog }: PostgresOptions,
  signal: AbortSignal,
  started: AsyncDisposableStack,
): Promise<ServerPlan> {
  await mkdir(givenDir, { recursive: true, mode: DIRECTORY_MODE })
  // One spelling: an orphan is recognised by the path in its command.
  const dataDir = await realpath(givenDir)
  const binDir = givenBinDir ?? (await platformBinDir())
  started.use(await lockDataDirectory(dataDir))
  const account = await chooseAccount({
    name: 'Postgres',
    dataDir,
    program: join(binDir, 'postgres'),
  })
  const socket = started.use(await openSocketDirectory(dataDir, SOCKET, account.owner))
  const initdbOptions = settings?.fsync === 'off' ? ['--no-sync'] : []
  const cluster = await openCluster({ dataDir, binDir, account, initdbOptions, signal })
  return {
    account,
    binDir,
    cluster: cluster.path,
    connection: connectionTo(socket.path, cluster.password),
    settings: { ...SMALL_INSTALL, ...settings, ...socketOnly(socket.path) },
    onLog,
  }
}

function connectionTo(host: string, password: string): Connection {
  return { host, port: PORT, user: USER, password, database: 'mailstead' }
}

function socketOnly(directory: string): Record<string, string> {
  return {
    listen_addresses: '',
    port: String(PORT),
    // A list, in which a quoted item may hold commas.
    unix_socket_directories: `"${directory.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
  }
}

function handle(
  connection: Connection,
  supervisor: Supervisor,
  started: AsyncDisposableStack,
): PostgresServer {
  let ending: Promise<void> | undefined
  return {
    connection,
    get pid() {
      return supervisor.pid
    },
    [Symbol.asyncDispose]() {
      ending ??= started.disposeAsync()
      return ending
    },
  }
}
