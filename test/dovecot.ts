/** Dovecot for tests: whether it is here, and a mail program. */
import { existsSync } from 'node:fs'
import { ImapFlow } from 'imapflow'
import { ensureCertificate } from '#runtime/data-directory.ts'
import { dataDirectory } from './directories.ts'
import { missing } from './needs.ts'
import type { LogIn } from './submission.ts'

const PROGRAMS = ['/usr/sbin/dovecot', '/usr/lib/dovecot/imap', '/usr/lib/dovecot/lmtp']

export const WITHOUT_DOVECOT = missing('Dovecot with its IMAP and LMTP servers', () =>
  PROGRAMS.every((program) => existsSync(program)),
)

export const DOVECOT = { MAILSTEAD_MAILBOX_DRIVER: 'dovecot' }

export type Server = { host: string; port: number }

/** A mail program that is logged in; throws when it is refused. */
export async function mailProgram(
  { host, port }: Server,
  { username: user, password: pass }: LogIn,
): Promise<ImapFlow & AsyncDisposable> {
  const client = new ImapFlow({
    host,
    port,
    secure: true,
    auth: { user, pass },
    tls: { rejectUnauthorized: false },
    logger: false,
    disableAutoIdle: true,
  })
  // A server that goes away must not end the test.
  client.on('error', () => {})
  await client.connect()
  return Object.assign(client, {
    [Symbol.asyncDispose]: async () => {
      if (client.usable) await client.logout().catch(() => undefined)
      client.close()
    },
  })
}

/** Whether the server refuses this log-in for good. */
export const isRefused = (server: Server, logIn: LogIn): Promise<boolean> =>
  mailProgram(server, logIn).then(
    async (client) => {
      await client[Symbol.asyncDispose]()
      return false
    },
    (error: { authenticationFailed?: boolean }) => {
      if (error.authenticationFailed !== true) throw error
      return true
    },
  )

/** A key and a certificate as an installation makes them. */
export async function certificate(): Promise<{ key: string; cert: string }> {
  await using directory = await dataDirectory()
  return await ensureCertificate(directory.path, 'mx.mailstead.test')
}
