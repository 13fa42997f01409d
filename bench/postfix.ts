/** Postfix with OpenDKIM, configured for one measurement: takes mail, signs it, and relays it to a sink. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { temporaryDirectory } from '../test/directories.ts'
import { freePort } from '../test/ports.ts'
import type { Sink } from './mail.ts'

const run = promisify(execFile)
const NEEDED = ['/usr/sbin/postfix', '/usr/sbin/opendkim', '/usr/sbin/smtp-source']
const OCTETS = '5900'
const SESSIONS = '20'
const WARM_UP = 200

/** Messages a second; undefined where the programs are not there, or this is not root. */
export async function postfixRate(
  sink: Sink,
  messages: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (process.getuid?.() !== 0 || !NEEDED.every((path) => existsSync(path))) return undefined
  await using opened = new AsyncDisposableStack()
  const { path } = opened.use(await temporaryDirectory())
  await chmod(path, 0o755)
  const ports = { smtp: await freePort('127.0.0.1'), milter: await freePort('127.0.0.1') }
  const signer = await startOpenDkim(path, ports.milter)
  opened.defer(() => void signer.kill())
  await configure(path, ports, sink.port)
  await run('postfix', ['-c', path, 'start'], { signal })
  opened.defer(async () => void (await run('postfix', ['-c', path, 'abort']).catch(() => {})))
  const send = async (count: number): Promise<number> => {
    const before = sink.count
    const began = performance.now()
    const args = ['-l', OCTETS, '-m', `${count}`, '-s', SESSIONS, '-f', 'kim@bench.test']
    await run('smtp-source', [...args, '-t', 'ann@sink.test', `127.0.0.1:${ports.smtp}`], {
      signal,
    })
    await sink.until(before + count)
    return (1000 * count) / (performance.now() - began)
  }
  await send(WARM_UP)
  return send(messages)
}

async function startOpenDkim(path: string, port: number): Promise<ChildProcess> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keyFile = join(path, 'dkim.pem')
  await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  const conf = join(path, 'opendkim.conf')
  const lines = [
    `Socket inet:${port}@127.0.0.1`,
    'Domain bench.test',
    `KeyFile ${keyFile}`,
    'Selector s1',
    'Mode s',
    'Canonicalization relaxed/relaxed',
    'InternalHosts 127.0.0.0/8',
    'Syslog no',
    'RequireSafeKeys no',
  ]
  await writeFile(conf, `${lines.join('\n')}\n`)
  const child = spawn('opendkim', ['-f', '-x', conf], { stdio: 'ignore' })
  await listening(port)
  return child
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isThere) return
    await delay(100)
  }
  throw new Error('OpenDKIM does not listen.')
}

async function configure(
  path: string,
  ports: { smtp: number; milter: number },
  sinkPort: number,
): Promise<void> {
  const { uid, gid } = await userOf('postfix')
  for (const name of ['queue', 'data']) await mkdir(join(path, name))
  await chown(join(path, 'data'), uid, gid)
  const settings = {
    compatibility_level: '3.6',
    queue_directory: join(path, 'queue'),
    data_directory: join(path, 'data'),
    command_directory: '/usr/sbin',
    daemon_directory: '/usr/lib/postfix/sbin',
    mail_owner: 'postfix',
    setgid_group: 'postdrop',
    myhostname: 'post.bench.test',
    mydestination: '',
    mynetworks: '127.0.0.0/8',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    alias_maps: '',
    relayhost: `[127.0.0.1]:${sinkPort}`,
    smtpd_milters: `inet:127.0.0.1:${ports.milter}`,
    milter_default_action: 'tempfail',
    maillog_file_prefixes: path,
    maillog_file: join(path, 'log'),
  }
  const main = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  await writeFile(join(path, 'main.cf'), `${main.join('\n')}\n`)
  await writeFile(join(path, 'master.cf'), `${SERVICES(ports.smtp).join('\n')}\n`)
}

const SERVICES = (port: number): string[] => [
  `${port} inet n - n - - smtpd`,
  'cleanup unix n - n - 0 cleanup',
  'qmgr unix n - n 300 1 qmgr',
  'rewrite unix - - n - - trivial-rewrite',
  'bounce unix - - n - 0 bounce',
  'defer unix - - n - 0 bounce',
  'trace unix - - n - 0 bounce',
  'smtp unix - - n - - smtp',
  'error unix - - n - - error',
  'retry unix - - n - - error',
  'proxymap unix - - n - - proxymap',
  'anvil unix - - n - 1 anvil',
  'scache unix - - n - 1 scache',
  'tlsmgr unix - - n 1000? 1 tlsmgr',
  'postlog unix-dgram n - n - 1 postlogd',
]

async function userOf(name: string): Promise<{ uid: number; gid: number }> {
  const line = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .find((each) => each.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return { uid: Number(uid), gid: Number(gid) }
}
