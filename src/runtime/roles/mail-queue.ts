/** Runs the queue of outgoing messages: one lane for probes, one for all else. */

import type { Config } from '#config/settings.ts'
import { LeaseLost } from '#engine/due-rows.ts'
import { startWorker } from '#engine/worker.ts'
import { envelopeSenderOf } from '#mail/outgoing/bounce-address.ts'
import { type AttemptResult, type QueuedMail, SENT_AGAIN } from '#mail/outgoing/mail.ts'
import { Queue } from '#mail/outgoing/queue.ts'
import { Sessions } from '#mail/outgoing/sessions.ts'
import { type ShareLimits, Shares } from '#mail/outgoing/shares.ts'
import { TlsPolicies } from '#mail/outgoing/tls-policies.ts'
import { type TransferOptions, transfer } from '#mail/outgoing/transfer.ts'
import { reportTo } from '#mail/reports/report-to.ts'
import type { MailWorkers } from '#mail/workers/mail-workers.ts'
import { TOPICS } from '#store/context.ts'
import { OUTGOING } from '#store/due-tables.ts'
import { keepMessage } from '#store/keep-messages.ts'
import {
  type Lane,
  loadQueued,
  messagesOfLane,
  pickMessages,
  recordAttempts,
  recordDataBegun,
} from '#store/outgoing-queue.ts'
import type { WorldName } from '#store/tables.ts'
import { tlsPolicyStore } from '#store/tls-policies.ts'
import { batched } from '../../batched.ts'
import type { World, Worlds } from '../../world.ts'
import type { Accounts } from '../accounts.ts'
import type { Runtime } from '../context.ts'
import { isWorthAnotherTry, sentenceOf } from '../recorded-sender.ts'
import { SendingSwitch } from '../sending-switch.ts'

export type OutgoingParts = {
  runtime: Runtime
  worlds: Worlds
  accounts: Record<WorldName, Accounts>
  workers: MailWorkers
}

/** How many attempts a process makes at once, with limits for a workspace and a destination. */
const LANES: Record<Lane, { topic: string; atOnce: number; limits: ShareLimits }> = {
  probes: { topic: TOPICS.probesDue, atOnce: 10, limits: { ofWorkspace: 10, toDestination: 10 } },
  others: { topic: TOPICS.outgoingDue, atOnce: 100, limits: { ofWorkspace: 40, toDestination: 5 } },
}
const ATTEMPT_LIMIT_MS = 120_000
const RECORDED_AT_ONCE = 50
const RECORDED_WITHIN_MS = 10
/** An attempt, plus reading its message and recording its result. */
const PASS_LIMIT_MS = ATTEMPT_LIMIT_MS + 60_000

export function openOutgoing(parts: OutgoingParts): void {
  const { opened, store } = parts.runtime
  const attempt = attemptsBy(parts, {
    sessions: opened.use(new Sessions()),
    policies: tlsPolicies(parts),
    sending: opened.use(new SendingSwitch(store)),
    mayLeave: batched(
      { atOnce: RECORDED_AT_ONCE, withinMs: RECORDED_WITHIN_MS },
      async (mails: readonly QueuedMail[]) => {
        const mayLeave = await recordDataBegun(store, mails)
        return mails.map(({ id }) => mayLeave.has(id))
      },
    ),
  })
  for (const lane of ['probes', 'others'] as const) openLane(parts, lane, attempt)
}

type Attempt = (mail: QueuedMail, signal: AbortSignal) => Promise<AttemptResult>

function openLane(parts: OutgoingParts, lane: Lane, attempt: Attempt): void {
  const { runtime, worlds } = parts
  const { store, opened, onError, logger } = runtime
  const { topic, atOnce, limits } = LANES[lane]
  const now = () => new Date()
  const queue = new Queue({
    load: (ids) => loadQueued(store, ids, now()),
    record: (attempts) => recordAttempts(store, attempts),
    attempt,
    onFailed: (mail, result) => reportToInbox(parts, mail, result),
    now,
    limitMs: ATTEMPT_LIMIT_MS,
    shares: new Shares(limits, () => performance.now()),
  })
  const worker = startWorker({
    db: store.db,
    doorbell: store.doorbell,
    table: OUTGOING,
    mine: messagesOfLane(lane, [...worlds.keys()]),
    topic,
    pick: (limit, which) => pickMessages(limit, which, queue.taking),
    atOnce,
    passLimitMs: PASS_LIMIT_MS,
    givesWay: false,
    work: (row, signal) => queue.pass(row, signal),
    onError: (error, row) => {
      if (row) logger.error({ err: error, message: row.id }, 'an attempt at a message failed')
      else onError(error)
    },
  })
  opened.use(worker)
}

/** What attempts of all messages share. */
type Shared = Pick<TransferOptions, 'sessions' | 'policies'> & {
  sending: SendingSwitch
  /** Records that the message is about to leave, unless we no longer hold it. */
  mayLeave(mail: QueuedMail): Promise<boolean>
}

/** The sandbox has no policies. */
function tlsPolicies({ runtime, worlds }: OutgoingParts): TlsPolicies | undefined {
  const live = worlds.get('live')
  if (!live) return undefined
  const { resolver, mayConnect } = live
  return new TlsPolicies({
    resolver,
    mayConnect,
    store: tlsPolicyStore(runtime.store),
    now: Date.now,
  })
}

function attemptsBy(parts: OutgoingParts, shared: Shared): Attempt {
  const { runtime, worlds, accounts, workers } = parts
  return async (mail, signal) => {
    await shared.sending.check()
    const world = worlds.get(mail.world as WorldName)!
    if (mail.account !== 'embedded')
      return handOver(mail, accounts[world.name].senders.get(mail.account), signal)
    if (!mail.key) return { is: 'failed', reply: '5.7.1 the domain has no key to sign with' }
    const raw = await workers.sign(mail.content, mail.claim.name, mail.key)
    const delivery = {
      envelopeSender: envelopeSenderOf(mail),
      recipient: mail.recipient,
      raw,
      onData: () => leaving(mail, shared),
      isOnce: !SENT_AGAIN[mail.origin],
    }
    return transfer(delivery, transferOptions(world, runtime.config, shared), signal)
  }
}

/** Reports a failed delivery in its conversation only, never to outside addresses. */
async function reportToInbox(
  { runtime, worlds }: OutgoingParts,
  mail: QueuedMail,
  { reply, host = '' }: AttemptResult,
): Promise<void> {
  if (mail.inbox !== 'there') return
  const { mailHost } = worlds.get(mail.world as WorldName)!.platform
  const copy = reportTo({ ...mail, reply, host }, mailHost, new Date())
  await keepMessage(runtime.store, copy.content, [copy])
}

/** Repeats the transfer to an outside service whose first answer was lost. */
async function handOver(
  mail: QueuedMail,
  sender: Accounts['senders'] extends ReadonlyMap<string, infer S> ? S | undefined : never,
  signal: AbortSignal,
): Promise<AttemptResult> {
  if (!sender) return { is: 'deferred', reply: `4.3.5 there is no account ${mail.account}` }
  try {
    await sender.send(mail.claim, mail, signal)
    return { is: 'sent', reply: 'taken over', host: mail.account }
  } catch (error) {
    signal.throwIfAborted()
    const is = isWorthAnotherTry(error) ? 'deferred' : 'failed'
    return { is, reply: sentenceOf(error), host: mail.account }
  }
}

/** Between the beginning of an attempt and this, much time may have passed. */
async function leaving(mail: QueuedMail, { sending, mayLeave }: Shared): Promise<void> {
  await sending.check()
  if (!SENT_AGAIN[mail.origin] && !(await mayLeave(mail))) throw new LeaseLost(mail.id)
}

function transferOptions(world: World, config: Config, shared: Shared): TransferOptions {
  const isLive = world.name === 'live'
  return {
    resolver: world.resolver,
    sessions: shared.sessions,
    policies: isLive ? shared.policies : undefined,
    mailHost: world.platform.mailHost,
    smtpPort: world.smtpPort,
    mayConnect: world.mayConnect,
    sourceAddresses: isLive ? config.smtpSourceAddresses : [],
    smarthost: isLive ? config.smarthost : undefined,
  }
}
