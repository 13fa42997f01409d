// Identifies a process, also against a later one with the same pid.
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { hasCode, readIfPresent } from '../files.ts'

const execute = promisify(execFile)
const PS_LIMIT_MS = 5_000
const POLL_MS = 10

/** How a server is ended: signals, and the milliseconds to wait for the effect of each. */
export type Ending = {
  readonly name: string
  readonly ladder: readonly (readonly [signal: NodeJS.Signals, limitMs: number])[]
}

/** Fast shutdown, immediate shutdown, then kill. */
export const ENDING_OF_POSTGRES: Ending = {
  name: 'Postgres',
  ladder: [
    ['SIGINT', 10_000],
    ['SIGQUIT', 2_000],
    ['SIGKILL', 2_000],
  ],
}

/** A text that no other process with this pid ever has; undefined if it ended or is a zombie. */
export async function processIdentity(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return askPs(pid, 'lstart=')
  const stat = await readIfPresent(`/proc/${pid}/stat`)
  // proc_pid_stat(5): the name in parentheses may hold anything; the state (field 3) follows it,
  // and field 22 is the start time in clock ticks since boot.
  const [state, ...rest] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  if (state === undefined || state === 'Z' || state === 'X') return undefined
  const boot = await readIfPresent('/proc/sys/kernel/random/boot_id')
  return `${boot?.trim()}/${rest[18]}`
}

/** The command line of a process, separated by blanks; empty if it ended or is a zombie. */
export async function commandOf(pid: number): Promise<string> {
  if (process.platform !== 'linux') return (await askPs(pid, 'command=')) ?? ''
  // Not /proc/<pid>/exe: root in a container may not read that of another user's process.
  const command = await readIfPresent(`/proc/${pid}/cmdline`)
  return command?.replaceAll('\0', ' ') ?? ''
}

/** Ends a server by `pid`, gently first. Throws if it does not end within the sum of the limits. */
export async function endServer(
  pid: number,
  isAlive: () => Promise<boolean>,
  { name, ladder }: Ending,
): Promise<void> {
  for (const [signal, limitMs] of ladder) {
    if (!(await isAlive())) return
    sendSignal(pid, signal)
    if (await endsWithin(limitMs, isAlive)) return
  }
  throw new Error(`${name} (process ${pid}) does not end, not even by SIGKILL`)
}

async function endsWithin(limitMs: number, isAlive: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + limitMs
  while (performance.now() < deadline) {
    if (!(await isAlive())) return true
    await sleep(POLL_MS)
  }
  return false
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error
  }
}

async function askPs(pid: number, column: string): Promise<string | undefined> {
  try {
    const columns = ['-ww', '-o', 'stat=', '-o', column, '-p', String(pid)]
    const { stdout } = await execute('ps', columns, { timeout: PS_LIMIT_MS })
    const [, state, answer] = /^\s*(\S+)\s+(.*)/.exec(stdout) ?? []
    return state?.startsWith('Z') ? undefined : answer?.trim()
  } catch (error) {
    // ps exits with 1 when there is no such process.
    if (error instanceof Error && 'code' in error && error.code === 1) return undefined
    throw error
  }
}
