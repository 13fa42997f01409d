/**
 * Postfix and OpenDKIM as Debian packages them, with their own queue, for comparison: they take mail by
 * SMTP, sign, queue and relay it to a sink, or verify, queue and deliver it to a mailbox. Needs root,
 * and the packages postfix and opendkim.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { temporaryDirectory } from '../test/directories.ts'
import { freePort } from '../test/ports.ts'

const run = promisify(execFile)
const MASTER = '/usr/lib/postfix/sbin/master'
const UP_WITHIN_MS = 20_000

/** Why the comparison is unavailable; undefined where it is available. */
export function whyNoPostfix(): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root'
  const needed = [
    MASTER,
    '/usr/sbin/opendkim',
    '/usr/sbin/opendkim-genkey',
    '/usr/sbin/smtp-source',
  ]
  const absent = needed.find((path) => !existsSync(path))
  return absent && `there is no ${absent}`
}

export type Postfix = AsyncDisposable & { port: number }

/** Signs for `domain`, and relays everything to a loopback port. */
export const startSender = (domain: string, sinkPort: number): Promise<Postfix> =>
  start(async (path) => {
    await run('opendkim-genkey', ['-b', '2048', '-s', 'bench', '-d', domain, '-D', path])
    return {
      milter: {
        Domain: domain,
        Selector: 'bench',
        KeyFile: join(path, 'bench.private'),
        Mode: 's',
        Canonicalization: 'relaxed/relaxed',
        InternalHosts: '127.0.0.0/8',
      },
      postfix: {
        relayhost: `[127.0.0.1]:${sinkPort}`,
        // As many sessions as Mailstead.
        default_destination_concurrency_limit: '50',
      },
    }
  })

/** Verifies with a public key in base64 at a name, and delivers mail for `address` to a mailbox. */
export const startReceiver = (
  address: string,
  key: { name: string; publicKey: string },
): Promise<Postfix> =>
  start(async (path) => {
    const { stdout: uid } = await run('id', ['-u', 'nobody'])
    const mailboxes = join(path, 'mailboxes')
    await mkdir(mailboxes)
    await chown(mailboxes, Number(uid), 0)
    await writeFile(join(path, 'keys'), `${key.name} v=DKIM1; k=rsa; p=${key.publicKey}\n`)
    return {
      milter: { Mode: 'v', TestPublicKeys: join(path, 'keys'), InternalHosts: '192.0.2.1' },
      postfix: {
        virtual_mailbox_domains: address.slice(address.indexOf('@') + 1),
        virtual_mailbox_base: mailboxes,
        virtual_mailbox_maps: `inline:{ ${address}=ann }`,
        virtual_mailbox_limit: '0',
        virtual_uid_maps: `static:${uid.trim()}`,
        virtual_gid_maps: `static:${uid.trim()}`,
      },
    }
  })

type Settings = Readonly<Record<string, string>>

async function start(
  settingsIn: (path: string) => Promise<{ milter: Settings; postfix: Settings }>,
): Promise<Postfix> {
  await using opened = new AsyncDisposableStack()
  const { path } = opened.use(await temporaryDirectory())
  await chmod(path, 0o755)
  const { milter, postfix } = await settingsIn(path)
  const milterPort = await freePort()
  opened.use(await startOpenDkim(path, milter, milterPort))
  const port = await freePort()
  opened.use(await startMaster(path, postfix, { port, milterPort }))
  const closing = opened.move()
  return { port, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

async function startOpenDkim(path: string, more: Settings, port: number): Promise<AsyncDisposable> {
  const settings = {
    Socket: `inet:${port}@127.0.0.1`,
    RequireSafeKeys: 'no',
    Background: 'no',
    Syslog: 'no',
    ...more,
  }
  const file = join(path, 'opendkim.conf')
  await writeFile(file, lines(Object.entries(settings), ' '))
  return running(spawn('/usr/sbin/opendkim', ['-x', file, '-f'], { stdio: 'ignore' }), port)
}

// biome-ignore format: a table
const SERVICES = [
  'cleanup   unix  n - n - 0 cleanup',
  'qmgr      unix  n - n 300 1 qmgr',
  'rewrite   unix  - - n - - trivial-rewrite',
  'bounce    unix  - - n - 0 bounce',
  'defer     unix  - - n - 0 bounce',
  'trace     unix  - - n - 0 bounce',
  'flush     unix  n - n 1000? 0 flush',
  'proxymap  unix  - - n - - proxymap',
  'smtp      unix  - - n - - smtp',
  'error     unix  - - n - - error',
  'virtual   unix  - n n - - virtual',
  'retry     unix  - - n - - error',
  'anvil     unix  - - n - 1 anvil',
  'scache    unix  - - n - 1 scache',
  'tlsmgr    unix  - - n 1000? 1 tlsmgr',
  'postlog   unix-dgram n - n - 1 postlogd',
]

async function startMaster(
  path: string,
  more: Settings,
  ports: { port: number; milterPort: number },
): Promise<AsyncDisposable> {
  const [etc, data, queue] = ['etc', 'data', 'queue'].map((name) => join(path, name)) as [
    string,
    string,
    string,
  ]
  for (const directory of [etc, data, queue]) await mkdir(directory)
  const { stdout: uid } = await run('id', ['-u', 'postfix'])
  await chown(data, Number(uid), 0)
  const settings = {
    compatibility_level: '3.6',
    queue_directory: queue,
    data_directory: data,
    maillog_file: join(path, 'mail.log'),
    maillog_file_prefixes: path,
    myhostname: 'mx.bench.test',
    inet_protocols: 'ipv4',
    inet_interfaces: '127.0.0.1',
    mynetworks: '127.0.0.0/8',
    mydestination: '',
    alias_maps: '',
    smtpd_milters: `inet:127.0.0.1:${ports.milterPort}`,
    milter_default_action: 'tempfail',
    // No limit on what one client may send.
    smtpd_client_connection_count_limit: '0',
    ...more,
  }
  await writeFile(join(etc, 'main.cf'), lines(Object.entries(settings), ' = '))
  const inbound = `127.0.0.1:${ports.port} inet n - n - - smtpd`
  await writeFile(join(etc, 'master.cf'), `${[inbound, ...SERVICES].join('\n')}\n`)
  await run('postfix', ['-c', etc, 'check'])
  return running(spawn(MASTER, ['-c', etc, '-d'], { stdio: 'ignore' }), ports.port)
}

const lines = (entries: readonly (readonly [string, string])[], between: string): string =>
  entries.map(([name, value]) => `${name}${between}${value}\n`).join('')

/** Waits until the process listens. Ending it ends its children. */
async function running(child: ChildProcess, port: number): Promise<AsyncDisposable> {
  const deadline = performance.now() + UP_WITHIN_MS
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} has ended`)
    if (performance.now() > deadline) throw new Error(`${child.spawnfile} does not listen`)
    await delay(100)
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1000 })
    const end = (isThere: boolean) => () => {
      socket.destroy()
      resolve(isThere)
    }
    socket.on('connect', end(true)).on('error', end(false)).on('timeout', end(false))
  })
}

export type Sent = { from: string; to: string; messages: number; sessions: number } & (
  | { octets: number }
  | { file: string }
)

/** Sends so many messages in so many sessions, which stay open: of a given length, or from a file. */
export async function sendBySource(port: number, sent: Sent): Promise<void> {
  const { from, to, messages, sessions } = sent
  const what = 'file' in sent ? ['-F', sent.file] : ['-l', sent.octets]
  const args = ['-d', '-s', sessions, '-m', messages, ...what, '-f', from, '-t', to]
  await run('smtp-source', [...args.map(String), `127.0.0.1:${port}`])
}
