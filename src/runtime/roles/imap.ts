/** The mailbox service `dovecot`, in the process of the `worker` role: the server, its log-ins, and its mail. */
import { join } from 'node:path'
import { ConfigError } from '#config/settings.ts'
import { type Dovecot, DovecotUnusable, startDovecot } from '#dovecot/dovecot.ts'
import type { KnownLogIn } from '#dovecot/log-ins.ts'
import type { Taken } from '#engine/due-rows.ts'
import { periodically } from '#engine/periodic.ts'
import { type Outcome, startWorker } from '#engine/worker.ts'
import { findLogIn } from '#store/app-passwords.ts'
import { TOPICS } from '#store/context.ts'
import { MAILBOX_COPIES } from '#store/due-tables.ts'
import {
  DOVECOT,
  dropCopy,
  loadCopy,
  type MailboxCopy,
  putBackEndedLogIn,
  takeEndedLogIns,
} from '#store/mailbox-copies.ts'
import { backOffMs, days, hours, minutes, seconds } from '../../clock.ts'
import { hasCode } from '../../files.ts'
import type { Worlds } from '../../world.ts'
import type { Runtime } from '../context.ts'

const COPIES_AT_ONCE = 4
const COPY_LIMIT_MS = 120_000
/** Less than the days for which Dovecot is asked whether it has a message. */
const GIVE_UP_AFTER_MS = days(7)
const PAUSES = {
  down: { firstMs: seconds(1), mostMs: seconds(30) },
  refused: { firstMs: minutes(1), mostMs: hours(1) },
}
const ENDED_EVERY_MS = seconds(5)
const KICK_LIMIT_MS = seconds(10)

/** Throws `ConfigError` if Dovecot cannot be used here. */
export async function openDovecot(runtime: Runtime, worlds: Worlds): Promise<Dovecot> {
  const { config, logger, tls, opened, onError } = runtime
  const server = await startDovecot(
    {
      dataDir: join(config.dataDir, 'dovecot'),
      listen: config.imapsListen,
      tls,
      quotaMb: config.quotaPerInboxMb,
      findLogIn: logInsOf(runtime, worlds),
      onLog: (line) => logger.debug({ dovecot: line }, 'log of Dovecot'),
      onTrouble: (sentence) => logger.error(sentence),
      onError,
    },
    new AbortController().signal,
  ).catch(refuseUnusable)
  opened.use(server)
  opened.use(copyWorker(runtime, server))
  endSessions(runtime, server)
  return server
}

function refuseUnusable(error: unknown): never {
  if (error instanceof DovecotUnusable)
    throw new ConfigError(`MAILSTEAD_MAILBOX_DRIVER: ${error.message}`)
  throw error
}

/** The mailbox of the address, if the password is of its inbox. */
function logInsOf({ store }: Runtime, worlds: Worlds) {
  return async (passwordId: string, username: string): Promise<KnownLogIn | undefined> => {
    const found = await findLogIn(store.db, passwordId)
    if (found?.address.toLowerCase() !== username) return undefined
    if (found.mailbox !== DOVECOT || !worlds.has(found.world)) return undefined
    return { hash: found.hash, mailUser: `${found.inboxId}@${found.claim.claimId}` }
  }
}

function copyWorker(runtime: Runtime, dovecot: Dovecot): AsyncDisposable {
  const { store, logger, onError } = runtime
  return startWorker({
    db: store.db,
    doorbell: store.doorbell,
    table: MAILBOX_COPIES,
    topic: TOPICS.copiesDue,
    atOnce: COPIES_AT_ONCE,
    passLimitMs: COPY_LIMIT_MS,
    givesWay: false,
    work: (row, signal) => handOver(runtime, dovecot, row, signal),
    onError: (error, row) => {
      if (row) logger.error({ err: error, message: row.id }, 'a message did not reach its mailbox')
      else onError(error)
    },
  })
}

/**
 * A message that was tried before may have been taken without an answer. Two copies of it then appear only if a
 * mail program deleted the first for good meanwhile.
 */
async function handOver(
  { store, logger }: Runtime,
  dovecot: Dovecot,
  row: Taken,
  signal: AbortSignal,
): Promise<Outcome | 'written'> {
  const copy = await loadCopy(store, row.id)
  if (!copy) return 'written' // The row went with its message.
  const handed = copy.isRemoved || (await attempt(dovecot, copy, row, signal))
  if (handed === true || handed.is === 'taken') {
    // A removal meanwhile may have been done before the message came.
    if ((await loadCopy(store, row.id))?.isRemoved)
      await dovecot.removeInbox(copy.claimId, copy.inboxId, signal)
    await dropCopy(store, row)
    return 'written'
  }
  const { failures } = row
  const later = (is: keyof typeof PAUSES): Outcome => ({
    afterMs: backOffMs(PAUSES[is], failures),
    failures: failures + 1,
  })
  if (handed.is !== 'refused') return later('down')
  if (Date.now() - copy.arrivedAt.getTime() < GIVE_UP_AFTER_MS) return later('refused')
  logger.warn({ message: row.id, reply: handed.reply }, 'a message is in no mail program')
  await dropCopy(store, row)
  return 'written'
}

async function attempt(
  dovecot: Dovecot,
  { inboxId, claimId, sender, raw }: MailboxCopy,
  { id, epoch }: Taken,
  signal: AbortSignal,
) {
  const mailUser = `${inboxId}@${claimId}`
  try {
    if (epoch !== '1' && (await dovecot.has(mailUser, id, signal))) return { is: 'taken' as const }
    const marked = Buffer.concat([Buffer.from(`X-Mailstead-Id: ${id}\r\n`), raw])
    return await dovecot.deliver({ sender, mailUser, raw: marked }, signal)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ECONNREFUSED')) return { is: 'down' as const }
    throw error
  }
}

/** Ends the sessions that a revoked password may have opened, all those of its inbox. */
function endSessions({ store, opened, onError }: Runtime, dovecot: Dovecot): void {
  const work = async () => {
    for (const mailUser of await takeEndedLogIns(store)) {
      await dovecot.kick(mailUser, AbortSignal.timeout(KICK_LIMIT_MS)).catch(async (error) => {
        onError(error)
        await putBackEndedLogIn(store, mailUser)
      })
    }
  }
  opened.use(periodically({ everyMs: ENDED_EVERY_MS, work, onError }))
  opened.use(store.doorbell.on(TOPICS.logInsEnded, () => void work().catch(onError)))
}
