// Runs Dovecot once: ends an orphan of an earlier run, starts the server, and ends it.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Account } from '#postgres/account.ts'
import { type Ending, endServer, processIdentity } from '#postgres/processes.ts'
import { type Server, spawnServer } from '#postgres/server.ts'
import { readIfPresent, replaceWhole } from '../files.ts'
import { type DovecotPlan, SOCKETS } from './config.ts'
import { doveadm } from './doveadm.ts'

export type DovecotRun = DovecotPlan & {
  readonly account: Account
  readonly program: string
  /** Notes the process that we started. */
  readonly note: string
  readonly onLog: (line: string) => void
}

const READY_LIMIT_MS = 20_000
const POLL_MS = 20
const ENDING: Ending = {
  name: 'Dovecot',
  ladder: [
    ['SIGTERM', 5_000],
    ['SIGKILL', 2_000],
  ],
}

/** Starts the server, and waits until it takes mail and log-ins. Throws, with nothing left running, if it does not. */
export async function launchDovecot(run: DovecotRun, signal: AbortSignal): Promise<Server> {
  await endOrphan(run)
  signal.throwIfAborted()
  await using undo = new AsyncDisposableStack()
  const { account, program, configDir, onLog } = run
  const argv = [program, '-F', '-c', join(configDir, 'dovecot.conf')]
  const server = undo.use(spawnServer({ account, argv, ending: ENDING, onLog }))
  if (server.pid) await replaceWhole(run.note, await noteOf(server.pid))
  await untilReady(server, run, signal)
  undo.move()
  return server
}

const noteOf = async (pid: number): Promise<string> => `${pid} ${await processIdentity(pid)}\n`

/**
 * Dovecot believes its master.pid, also when another program has that pid by now; our own note tells them apart.
 * For the holder of the lock only.
 */
async function endOrphan({ note, runDir }: DovecotRun): Promise<void> {
  const noted = await readIfPresent(note)
  const pid = Number.parseInt(noted ?? '', 10)
  const isAlive = async () => (await noteOf(pid)) === noted
  if (pid > 0 && (await isAlive())) await endServer(pid, isAlive, ENDING)
  await rm(join(runDir, 'master.pid'), { force: true })
}

/** Its sockets and ports are open from the start on; that it answers shows that its services run, too. */
async function untilReady(server: Server, run: DovecotRun, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_LIMIT_MS
  while (!(await answers(run, signal))) {
    signal.throwIfAborted()
    if (server.howEnded !== undefined) {
      const log = await server.lastLogLines()
      throw new Error(`Dovecot ended at its start (${server.howEnded}):\n${log}`)
    }
    if (performance.now() > deadline)
      throw new Error(`Dovecot was not ready within ${READY_LIMIT_MS / 1000} s`)
    await sleep(POLL_MS)
  }
}

const answers = ({ runDir }: DovecotRun, signal: AbortSignal): Promise<boolean> =>
  doveadm(join(runDir, SOCKETS.doveadm), '', ['who'], signal).then(
    () => true,
    () => false,
  )
