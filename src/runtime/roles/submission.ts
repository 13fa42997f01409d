import type { LogIn } from '#mail/submission/log-in.ts'
import { type SubmissionStore, submit } from '#mail/submission/submit.ts'
import type { MailWorkers } from '#mail/workers/mail-workers.ts'
import type { Endpoint } from '#names/ip.ts'
import { Guesses } from '#servers/smtp/guesses.ts'
import { listenSubmission } from '#servers/smtp/submission.ts'
import { acceptMessage } from '#store/accept-messages.ts'
import { findLogIn, recordPasswordUse } from '#store/app-passwords.ts'
import type { StoreContext } from '#store/context.ts'
import { threadsByKey } from '#store/conversations.ts'
import type { SendingLimits } from '#store/reached-limits.ts'
import { isSuppressedFor } from '#store/suppressions.ts'
import type { Worlds } from '../../world.ts'
import type { Runtime } from '../context.ts'
import { sendingLimitsOf } from '../sending-limits.ts'

export type SubmissionListeners = {
  startTls: readonly Endpoint[]
  implicitTls: readonly Endpoint[]
}

/** The submission listeners of the `smtp` role: with STARTTLS, and with TLS from the first octet. */
export async function openSubmission(
  { config, store, tls, opened, onError }: Runtime,
  worlds: Worlds,
  workers: MailWorkers,
): Promise<SubmissionListeners> {
  const guesses = new Guesses()
  const submitting = {
    store: submissionStore(store, sendingLimitsOf(config)),
    workers,
    host: config.mailHost,
  }
  const listen = async ({ address, port }: Endpoint, isImplicitTls: boolean) =>
    opened.use(
      await listenSubmission(
        {
          address,
          port,
          host: config.mailHost,
          tls,
          isImplicitTls,
          findLogIn: async (passwordId) => {
            const logIn = await findLogIn(store.db, passwordId)
            return logIn && worlds.has(logIn.world) ? logIn : undefined
          },
          onLogIn: ({ passwordId }) => void recordPasswordUse(store.db, passwordId).catch(onError),
          isSuppressed: (logIn, recipient) => isSuppressedFor(store, logIn, recipient),
          submit: (raw, recipients, logIn) =>
            submit(raw, recipients, logIn, { ...submitting, now: () => new Date() }),
          onError,
        },
        guesses,
      ),
    )
  const startTls = []
  const implicitTls = []
  for (const endpoint of config.submissionListen) startTls.push(await listen(endpoint, false))
  for (const endpoint of config.submissionsListen) implicitTls.push(await listen(endpoint, true))
  return { startTls, implicitTls }
}

function submissionStore(store: StoreContext, limits: SendingLimits): SubmissionStore {
  return {
    threads: (inboxId, keys) => threadsByKey(store, inboxId, keys),
    accept: (logIn: LogIn, { messageId, content, recipients }) => {
      const [first, ...further] = recipients
      const { inboxId, localpart: author, world, account } = logIn
      const mail = { ...first!, origin: 'submission' as const, inboxId, author, messageId, content }
      return acceptMessage(store, logIn.claim, mail, { world, account, limits }, further)
    },
  }
}
