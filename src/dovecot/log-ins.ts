/**
 * Answers Dovecot's questions about log-ins, in its dict protocol on a Unix socket. A password that is revoked is
 * refused from then on, because Dovecot remembers no answer.
 */
import { chmod, chown, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Owner } from '../files.ts'

/** A log-in whose password has that hash opens the mailbox of that mail user. */
export type KnownLogIn = { hash: string; mailUser: string }

/** Undefined when there is no such password for that user name, which is in lower case. */
export type FindLogIn = (passwordId: string, username: string) => Promise<KnownLogIn | undefined>

const QUESTION = /^Lshared\/log-in\/([a-z2-7]{8})\/([^\t/]+)(?:\t|$)/
const [FOUND, NONE, FAILED] = ['O', 'N\n', 'Fcould not ask\n']

export async function answerLogIns(
  path: string,
  owner: Owner | undefined,
  find: FindLogIn,
  onError: (error: unknown) => void,
): Promise<AsyncDisposable> {
  await rm(path, { force: true })
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', onError).on('close', () => open.delete(socket))
    void answerAll(socket, find, onError)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
  await chmod(path, 0o600)
  if (owner) await chown(path, owner.uid, owner.gid)
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** In the order of the questions. */
async function answerAll(socket: Socket, find: FindLogIn, onError: (error: unknown) => void) {
  for await (const line of createInterface({ input: socket })) {
    // The others greet, or begin and end what only reads.
    if (!line.startsWith('L')) continue
    const answer = await answerTo(line, find).catch((error: unknown) => {
      onError(error)
      return FAILED
    })
    if (!socket.destroyed) socket.write(answer)
  }
}

export async function answerTo(line: string, find: FindLogIn): Promise<string> {
  const [, passwordId, username] = QUESTION.exec(line) ?? []
  const found = username && (await find(passwordId!, username))
  if (!found) return NONE
  return `${FOUND}${JSON.stringify({ password: found.hash, user: found.mailUser })}\n`
}
