// Chooses the user that runs a server as Postgres, which refuses root: root switches to the user nobody.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { addAbortListener } from 'node:events'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { Owner } from '../files.ts'

const PROBE_LIMIT_MS = 10_000

/** A way to run the programs of a server. */
export type Account = {
  /** The owner of its files; undefined: the user of this process. */
  readonly owner: Owner | undefined
  /** The program and options that come before the command. */
  readonly wrapper: readonly string[]
  /** The user for `spawn`, if the wrapper does not set it. */
  readonly credentials: Partial<Owner>
}

/** The directory and the program that the account must be able to reach. */
export type Reach = { readonly name: string; readonly dataDir: string; readonly program: string }

/**
 * The best account that can run the program here. Without one, throws and names the closed
 * directory.
 */
export async function chooseAccount(reach: Reach): Promise<Account> {
  const owner = process.getuid?.() === 0 ? await lookUpNobody() : undefined
  const failures: unknown[] = []
  for (const account of owner ? accountsOfRoot(owner) : ORDINARY_ACCOUNTS) {
    try {
      await probe(account, reach)
      return account
    } catch (error) {
      failures.push(error)
    }
  }
  throw await explain(failures, reach, owner)
}

/** Starts a program in its own session, so that Ctrl-C in our terminal does not reach it. */
export function spawnAs(account: Account, argv: readonly string[]): ChildProcess {
  const [file = '', ...args] = [...account.wrapper, ...argv]
  return spawn(file, args, {
    ...account.credentials,
    cwd: '/', // The account may lack access to our directory.
    detached: true,
    // Not our environment, which may contain secrets or PG* settings.
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/**
 * Runs a program to its end. If the program fails, throws with its output. Kills the program and
 * throws if it runs longer than `limitMs`, or `signal` aborts.
 */
export async function runAs(
  account: Account,
  argv: readonly string[],
  { limitMs, signal }: { readonly limitMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  signal?.throwIfAborted()
  const timeout = AbortSignal.timeout(limitMs)
  const child = spawnAs(account, argv)
  using _ = addAbortListener(AbortSignal.any(signal ? [signal, timeout] : [timeout]), () =>
    child.kill('SIGKILL'),
  )
  const { code, output } = await outcome(child)
  signal?.throwIfAborted()
  if (timeout.aborted) throw new Error(`${argv[0]} took longer than ${limitMs / 1000} s`)
  if (code !== 0) throw new Error(`${argv[0]} failed (${code}): ${output.trim()}`)
}

function outcome(child: ChildProcess): Promise<{ code: number | string; output: string }> {
  let output = ''
  const collect = (chunk: unknown) => (output += chunk)
  child.stdout?.on('data', collect)
  child.stderr?.on('data', collect)
  return new Promise((resolve) => {
    child.once('error', collect)
    child.once('close', (code, signal) => resolve({ code: code ?? signal ?? 'unknown', output }))
  })
}

// The kernel signals the server when this process dies. Without setpriv, the next start ends it.
const ON_OUR_DEATH = ['--pdeathsig', 'INT', '--']

const ORDINARY_ACCOUNTS: readonly Account[] = [
  { owner: undefined, wrapper: ['setpriv', ...ON_OUR_DEATH], credentials: {} },
  { owner: undefined, wrapper: [], credentials: {} },
]

function accountsOfRoot(owner: Owner): readonly Account[] {
  return [
    { owner, wrapper: ['setpriv', ...stepDown(owner), ...ON_OUR_DEATH], credentials: {} },
    { owner, wrapper: ['setpriv', ...ON_OUR_DEATH], credentials: owner },
    { owner, wrapper: [], credentials: owner },
  ]
}

// With this capability the user nobody can work below closed directories, as root's home. Containers often
// lack it.
function stepDown({ uid, gid }: Owner): string[] {
  const capability = ['--inh-caps', '+dac_read_search', '--ambient-caps', '+dac_read_search']
  const user = ['--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups']
  return [...user, '--securebits', '+no_setuid_fixup', ...capability]
}

async function lookUpNobody(): Promise<Owner> {
  const id = async (flag: string) => {
    const { stdout } = await promisify(execFile)('id', [flag, 'nobody'])
    return Number(stdout)
  }
  const [uid, gid] = await Promise.all([id('-u'), id('-g')])
  return { uid, gid }
}

function probe(account: Account, { dataDir, program }: Reach): Promise<void> {
  const script = 'cd "$0" && exec "$1" --version'
  const argv = ['/bin/sh', '-c', script, dataDir, program]
  return runAs(account, argv, { limitMs: PROBE_LIMIT_MS })
}

async function explain(
  failures: readonly unknown[],
  { name, dataDir, program }: Reach,
  owner: Owner | undefined,
): Promise<Error> {
  const closed =
    owner && ((await firstClosed(dataDir, owner)) ?? (await firstClosed(dirname(program), owner)))
  const reason = closed
    ? `as the user nobody, who may not enter ${closed}: open it (chmod o+x '${closed}')`
    : failures.map(String).join('; ')
  return new AggregateError(failures, `${name} cannot run here: ${reason}`)
}

async function firstClosed(directory: string, owner: Owner): Promise<string | undefined> {
  const parent = dirname(directory)
  const above = parent === directory ? undefined : await firstClosed(parent, owner)
  return above ?? ((await mayEnter(directory, owner)) ? undefined : directory)
}

async function mayEnter(directory: string, owner: Owner): Promise<boolean> {
  const { mode, uid, gid } = await stat(directory)
  if (uid === owner.uid) return (mode & 0o100) !== 0
  return (mode & (gid === owner.gid ? 0o010 : 0o001)) !== 0
}
