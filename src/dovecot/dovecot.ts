// The Dovecot of the mailbox service `dovecot`: a child process under our supervisor, for IMAP.
import { execFile } from 'node:child_process'
import { access, chmod, chown, mkdir, realpath, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { Endpoint } from '#names/ip.ts'
import { type Account, chooseAccount } from '#postgres/account.ts'
import { lockDataDirectory } from '#postgres/lock.ts'
import { openSocketDirectory } from '#postgres/socket-directory.ts'
import { Supervisor } from '#postgres/supervisor.ts'
import { hasCode, type Owner, replaceWhole } from '../files.ts'
import { configFiles, type DovecotPlan, LONGEST_SOCKET, SOCKETS } from './config.ts'
import { deliver, type Handed, type Handing } from './deliver.ts'
import { doveadm } from './doveadm.ts'
import { answerLogIns, type FindLogIn } from './log-ins.ts'
import { type DovecotRun, launchDovecot } from './server.ts'

const execute = promisify(execFile)
/** Below the directory of sockets. */
const BASE = 'base'
const COMMAND_LIMIT_MS = 10_000
/** Where Debian has it, which an ordinary user's PATH lacks. */
const FURTHER_PATH = ['/usr/sbin', '/usr/local/sbin']
const DIRECTORY_MODE = process.getuid?.() === 0 ? 0o711 : 0o700

/** A private key and its certificate, in PEM. */
type Pair = { readonly key: string; readonly cert: string }

export type DovecotOptions = {
  /** Created if missing. Holds everything, the mail too. */
  readonly dataDir: string
  /** Port 0: one that is free. */
  readonly listen: readonly Endpoint[]
  readonly tls: Pair & { onRenewal?(act: (pair: Pair) => void): void }
  /** How much mail an inbox may hold; 0: no limit. */
  readonly quotaMb: number
  readonly findLogIn: FindLogIn
  readonly onLog: (line: string) => void
  readonly onTrouble: (sentence: string) => void
  readonly onError: (error: unknown) => void
}

/** A running server. A mail user is `<inbox id>@<claim id>`, so that no address is ever used for another's mail. */
export type Dovecot = AsyncDisposable & {
  /** Undefined while a dead server is being replaced. */
  readonly pid: number | undefined
  readonly listeners: readonly Endpoint[]
  deliver(mail: Handing, signal: AbortSignal): Promise<Handed>
  /** Whether a message with this id was handed over within the last days. */
  has(mailUser: string, messageId: string, signal: AbortSignal): Promise<boolean>
  /** Ends the sessions of a mail user. */
  kick(mailUser: string, signal: AbortSignal): Promise<void>
  /** Ends its sessions and deletes its mail. Absent is success. */
  removeInbox(claimId: string, inboxId: string, signal: AbortSignal): Promise<void>
  removeClaim(claimId: string, signal: AbortSignal): Promise<void>
}

/** Cannot be used as it is installed here; for the operator. */
export class DovecotUnusable extends Error {
  override readonly name = 'DovecotUnusable'
}

/** Starts the server, and restarts it when it dies. Throws, with nothing left running, if it cannot start. */
export async function startDovecot(options: DovecotOptions, signal: AbortSignal): Promise<Dovecot> {
  await using started = new AsyncDisposableStack()
  const run = await prepare(options, started)
  const { onLog, onTrouble, onError, tls } = options
  const launch = (each: AbortSignal) => launchDovecot(run, each)
  const supervisor = started.use(
    new Supervisor('Dovecot', await launch(signal), launch, { onLog, onTrouble }),
  )
  tls.onRenewal?.((pair) => void renew(run, supervisor, pair).catch(onError))
  return handle(run, supervisor, started.move())
}

/** New sessions get the new certificate. */
async function renew(run: DovecotRun, { pid }: Supervisor, pair: Pair): Promise<void> {
  await writeFiles(run, run.account.owner, pairFiles(pair))
  if (pid) process.kill(pid, 'SIGHUP')
}

const pairFiles = ({ key, cert }: Pair) => ({ 'key.pem': key, 'certificate.pem': cert })

async function writeFiles(
  { configDir }: Pick<DovecotPlan, 'configDir'>,
  owner: Owner | undefined,
  files: Record<string, string>,
): Promise<void> {
  for (const [name, text] of Object.entries(files))
    await replaceWhole(join(configDir, name), text, owner)
}

async function prepare(
  { dataDir: givenDir, listen, tls, quotaMb, findLogIn, onLog, onError }: DovecotOptions,
  started: AsyncDisposableStack,
): Promise<DovecotRun> {
  const program = await findProgram()
  await mkdir(givenDir, { recursive: true, mode: DIRECTORY_MODE })
  const dataDir = await realpath(givenDir)
  started.use(await lockDataDirectory(dataDir))
  const account = await chooseAccount({ name: 'Dovecot', dataDir, program })
  const socket = started.use(
    await openSocketDirectory(dataDir, join(BASE, LONGEST_SOCKET), account.owner),
  )
  const [configDir, stateDir, mailDir] = await Promise.all(
    ['config', 'state', 'mail'].map((name) => ownDirectory(join(dataDir, name), account.owner)),
  )
  const plan = {
    ...(await namesOf(account)),
    runDir: await ownDirectory(join(socket.path, BASE), account.owner),
    configDir: configDir!,
    stateDir: stateDir!,
    mailDir: mailDir!,
    listen: await Promise.all(listen.map(withPort)),
    quotaMb,
  }
  await writeFiles(plan, account.owner, { ...configFiles(plan), ...pairFiles(tls) })
  const logIns = join(plan.runDir, SOCKETS.logIns)
  started.use(await answerLogIns(logIns, account.owner, findLogIn, onError))
  return { ...plan, account, program, note: join(dataDir, 'dovecot.pid'), onLog }
}

/** The program, of a version that we write the configuration for. */
async function findProgram(): Promise<string> {
  const places = [...(process.env.PATH ?? '').split(delimiter), ...FURTHER_PATH].filter(Boolean)
  for (const place of places) {
    const program = join(place, 'dovecot')
    const isThere = await access(program).then(
      () => true,
      () => false,
    )
    if (!isThere) continue
    const { stdout } = await execute(program, ['--version'], { timeout: COMMAND_LIMIT_MS })
    if (stdout.startsWith('2.3.')) return program
    throw new DovecotUnusable(`Dovecot 2.3 is wanted; ${program} is ${stdout.trim()}.`)
  }
  throw new DovecotUnusable(
    'There is no Dovecot here; install 2.3 with its IMAP and LMTP servers (Debian: dovecot-imapd dovecot-lmtpd).',
  )
}

async function ownDirectory(path: string, owner: Owner | undefined): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  await chmod(path, 0o700)
  if (owner) await chown(path, owner.uid, owner.gid)
  return path
}

async function namesOf({ owner }: Account): Promise<Pick<DovecotPlan, 'user' | 'group'>> {
  const name = async (flag: string) => {
    const user = owner ? ['nobody'] : []
    const asking = execute('id', [flag, ...user], { timeout: COMMAND_LIMIT_MS })
    const { stdout } = await asking.catch(() => {
      throw new DovecotUnusable('Dovecot runs only as a user and a group that have names.')
    })
    return stdout.trim()
  }
  const [user, group] = await Promise.all([name('-un'), name('-gn')])
  return { user: user!, group: group! }
}

async function withPort({ address, port }: Endpoint): Promise<Endpoint> {
  if (port !== 0) return { address, port }
  const server = createServer()
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(0, address, resolve),
  )
  const free = (server.address() as AddressInfo).port
  await new Promise((resolve) => server.close(resolve))
  return { address, port: free }
}

function handle(run: DovecotRun, supervisor: Supervisor, started: AsyncDisposableStack): Dovecot {
  const control = join(run.runDir, SOCKETS.doveadm)
  const kick = (mailUser: string, signal: AbortSignal) =>
    doveadm(control, '', ['kick', mailUser], signal).catch(unlessDown)
  const remove = async (mailUser: string, path: string, signal: AbortSignal) => {
    await kick(mailUser, signal)
    await rm(path, { recursive: true, force: true, maxRetries: 5 })
    // A session that began before its log-in was refused.
    await kick(mailUser, signal)
  }
  return {
    get pid() {
      return supervisor.pid
    },
    listeners: run.listen,
    deliver: (mail, signal) => deliver(join(run.runDir, SOCKETS.lmtp), mail, signal),
    async has(mailUser, messageId, signal) {
      const found = await doveadm(control, mailUser, [...SEARCH, messageId], signal)
      return found.trim() !== ''
    },
    async kick(mailUser, signal) {
      await kick(mailUser, signal)
    },
    removeInbox: (claimId, inboxId, signal) =>
      remove(`${inboxId}@${claimId}`, join(run.mailDir, claimId, inboxId), signal),
    removeClaim: (claimId, signal) => remove(`*@${claimId}`, join(run.mailDir, claimId), signal),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

const SEARCH = ['search', 'mailbox', '*', 'savedsince', '8d', 'header', 'X-Mailstead-Id']

/** A server that is down has no sessions. */
function unlessDown(error: unknown): undefined {
  if (hasCode(error, 'ENOENT', 'ECONNREFUSED')) return undefined
  throw error
}
