/** The servers of another provider: an SMTP server with log-ins, real Dovecot for IMAP, and bad ones. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { SMTPServer } from 'smtp-server'
import { temporaryDirectory } from './directories.ts'

/** An address of loopback for this process alone, so that the few ports of mail are free. */
const NETWORK = `127.${64 + (process.pid % 128)}.${(process.pid >> 7) & 255}`
export const HOST = `${NETWORK}.9`
/** Where the bad ones are. */
export const BAD_HOST = `${NETWORK}.10`
export const LOG_IN = { username: 'kim@elsewhere.example', password: 'correct horse €"\\ battery' }

/** Takes log-ins at a port; counts the attempts. */
export async function smtpProvider(
  port: number,
): Promise<AsyncDisposable & { attempts: string[]; refuses: { code: number | undefined } }> {
  const attempts: string[] = []
  const refuses: { code: number | undefined } = { code: undefined }
  const server = new SMTPServer({
    secure: port === 1465,
    authMethods: ['PLAIN', 'LOGIN'],
    disableReverseLookup: true,
    onAuth({ username, password }, session, reply) {
      attempts.push(session.secure ? 'with TLS' : 'in the clear')
      const isRight = username === LOG_IN.username && password === LOG_IN.password
      if (isRight && refuses.code === undefined) return reply(null, { user: username })
      const responseCode = refuses.code ?? 535
      reply(Object.assign(new Error(`no: ${password}`), { responseCode }))
    },
  })
  server.on('error', () => {})
  server.listen(port, HOST)
  await once(server.server, 'listening')
  return {
    attempts,
    refuses,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(resolve)),
  }
}

/** A server that does this with each connection. */
export async function badServer(
  port: number,
  greet: (socket: Socket) => void,
): Promise<AsyncDisposable & { connections: number }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    state.connections++
    sockets.add(socket)
    socket.on('error', () => {})
    greet(socket)
  }).listen(port, BAD_HOST)
  const state = {
    connections: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  await once(server, 'listening')
  return state
}

const DOVECOT = '/usr/sbin/dovecot'
export const hasDovecot = (): boolean => existsSync(DOVECOT)

/** Dovecot as a child, without rights: IMAP with STARTTLS at 1143, TLS at 1993. */
export async function dovecot({
  cert,
  key,
}: {
  cert: string
  key: string
}): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack()
  const { path } = opened.use(await temporaryDirectory())
  const file = (name: string) => join(path, name)
  await mkdir(file('run'))
  await mkdir(file('mail'))
  // As root, mail is another user's.
  await chmod(path, 0o755)
  await chmod(file('mail'), 0o777)
  await writeFile(file('cert.pem'), cert)
  await writeFile(file('key.pem'), key)
  await writeFile(file('users'), `${LOG_IN.username}:{PLAIN}${LOG_IN.password}::::::\n`)
  await writeFile(file('dovecot.conf'), configOf(path))
  const child = spawn(DOVECOT, ['-F', '-c', file('dovecot.conf')], { stdio: 'ignore' })
  opened.defer(() => ended(child))
  await listening(1143)
  const closing = opened.move()
  return { [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill('SIGTERM')
  await Promise.race([once(child, 'exit'), delay(5000)])
  if (child.exitCode === null) child.kill('SIGKILL')
}

async function listening(port: number): Promise<void> {
  for (let look = 0; look < 200; look++) {
    const socket = connect(port, HOST)
    const isThere = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isThere) return
    await delay(50)
  }
  throw new Error('Dovecot does not listen')
}

/** A certificate for nobody's name, made once for a test. */
export async function certificate(): Promise<{ cert: string; key: string }> {
  const { generate } = await import('selfsigned')
  const made = await generate([{ name: 'commonName', value: 'elsewhere.example' }])
  return { cert: made.cert, key: made.private }
}

function configOf(path: string): string {
  const user = userInfo().username
  const isRoot = process.getuid?.() === 0
  const own = isRoot
    ? ''
    : `default_login_user = ${user}\ndefault_internal_user = ${user}\ndefault_internal_group = ${user}
service anvil {\n chroot =\n}\nservice stats {\n chroot =\n}\n`
  return `
protocols = imap
listen = ${HOST}
base_dir = ${path}/run
state_dir = ${path}/run
log_path = ${path}/log
ssl = required
ssl_cert = <${path}/cert.pem
ssl_key = <${path}/key.pem
auth_mechanisms = plain login
mail_location = maildir:${path}/mail
first_valid_uid = 1
${own}
service imap-login {
  ${isRoot ? '' : 'chroot ='}
  inet_listener imap {
    port = 1143
  }
  inet_listener imaps {
    port = 1993
    ssl = yes
  }
}
passdb {
  driver = passwd-file
  args = ${path}/users
}
userdb {
  driver = static
  args = uid=${isRoot ? 'nobody' : user} gid=${isRoot ? 'nogroup' : user} home=${path}
}
`
}
