/** Accepts messages from mail programs that are logged in to an inbox (RFC 6409). */
import { newId } from '../../ids.ts'
import { threadWith } from '../incoming/describe.ts'
import type { Refused } from '../incoming/refused.ts'
import { NotAccepted, type Obstacle } from '../outgoing/gate.ts'
import type { SentCopy } from '../outgoing/mail.ts'
import type { MailWorkers } from '../workers/mail-workers.ts'
import type { LogIn } from './log-in.ts'
import type { Prepared } from './prepare.ts'

export type SubmittedMail = {
  messageId: string
  content: Prepared['content']
  recipients: readonly { id: string; recipient: string; sentCopy?: SentCopy | undefined }[]
}

/** Finds conversations, and accepts messages. */
export type SubmissionStore = {
  /** The ids of the inbox's conversations among those with these keys. */
  threads(inboxId: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>>
  /**
   * Accepts the message for all its recipients, or for none: throws `NotAccepted`. False when the domain is not
   * registered with its sender now.
   */
  accept(logIn: LogIn, mail: SubmittedMail): Promise<boolean>
}

export type SubmitOptions = {
  store: SubmissionStore
  workers: MailWorkers
  /** Our name in the trace. */
  host: string
  now(): Date
}

/** Refused, or `kept` with the id of the message. */
export type Submitted = Refused | { is: 'kept'; id: string }

/** Accepts a message for `recipients`, or throws: the client then tries again. */
export async function submit(
  raw: Uint8Array,
  recipients: readonly string[],
  logIn: LogIn,
  { store, workers, host, now }: SubmitOptions,
): Promise<Submitted> {
  const ids = recipients.map(() => newId())
  const [id = newId()] = ids
  const { address } = logIn
  const prepared = await workers.prepare({ raw, address, host, id, now: now() })
  if (prepared.is === 'refused') return prepared
  const { messageId, content, description } = prepared
  const { subject, preview, words } = description
  const keys = recipients.map((recipient) => threadWith(recipient, description.root))
  const threads = await store.threads(logIn.inboxId, keys)
  const messages = recipients.map((recipient, index) => {
    const threadId = threads.get(keys[index]!)
    const sentCopy = threadId === undefined ? undefined : { threadId, subject, preview, words }
    return { id: ids[index]!, recipient, sentCopy }
  })
  try {
    const isAccepted = await store.accept(logIn, { messageId, content, recipients: messages })
    return isAccepted ? { is: 'kept', id } : NOT_READY
  } catch (error) {
    if (error instanceof NotAccepted) return replyTo(error.obstacle)
    throw error
  }
}

const NOT_READY: Refused = {
  is: 'refused',
  code: 451,
  enhanced: '4.7.1',
  text: 'The domain cannot send for now',
}

/** A message that would only wait is not taken: its author is there, and learns why. */
function replyTo({ is, reply }: Obstacle): Refused {
  const [, enhanced = '', text = ''] = /^(\S+) (.*)$/s.exec(reply) ?? []
  return { is: 'refused', code: is === 'ended' ? 550 : 451, enhanced, text }
}
