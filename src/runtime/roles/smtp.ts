import type { Config } from '#config/settings.ts'
import { type Quotas, verdictOnUsage } from '#mail/incoming/quota.ts'
import { type IncomingStore, type ReceiveOptions, receive } from '#mail/incoming/receive.ts'
import { findRecipient, isRole, type Recipient, verdictOn } from '#mail/incoming/recipient.ts'
import type { MailWorkers } from '#mail/workers/mail-workers.ts'
import type { Endpoint } from '#names/ip.ts'
import { listenInbound } from '#servers/smtp/inbound.ts'
import { type StoreContext, TOPICS } from '#store/context.ts'
import { keepAggregate } from '#store/dmarc-reports.ts'
import { keepMessage } from '#store/keep-messages.ts'
import { findMailDomain } from '#store/mail-domains.ts'
import { mailUsage } from '#store/mail-usage.ts'
import { findSentMessage, recordReport } from '#store/message-reports.ts'
import { isProbeRecipient, judgeProbe } from '#store/probes.ts'
import type { World, Worlds } from '../../world.ts'
import { hasDovecot } from '../accounts.ts'
import type { Runtime } from '../context.ts'
import { FreeSpace } from '../free-space.ts'

/** The `smtp` role: one listener for each address, and one on loopback for the sandbox. */
export async function openInbound(
  { config, store, tls, opened, onError }: Runtime,
  worlds: Worlds,
  workers: MailWorkers,
): Promise<readonly Endpoint[]> {
  const incoming = incomingStore(store, hasDovecot(config))
  const receiving: ReceiveOptions = {
    store: incoming,
    workers,
    worlds: [...worlds.values()].map(judgingIn),
  }
  const quotas = quotasOf(config)
  // The disk of an external Postgres is elsewhere.
  const space =
    config.databaseUrl === ''
      ? new FreeSpace(config.dataDir, config.leastFreeSpaceMb * MIB)
      : undefined
  const listeners: Endpoint[] = []
  for (const { address, port } of addressesFor(config.smtpListen, worlds)) {
    const listener = await listenInbound({
      address,
      port,
      host: config.mailHost,
      tls,
      isShortOfSpace: () => space?.isShort() ?? Promise.resolve(false),
      recipient: async (recipient) => {
        const found = await findRecipient(recipient, receiving.worlds, incoming)
        return (await verdictOfQuotas(store, quotas, found)) ?? verdictOn(found)
      },
      receive: (message, signal) => receive(message, receiving, signal),
      onError,
    })
    listeners.push(opened.use(listener))
  }
  return listeners
}

const MIB = 2 ** 20

const quotasOf = (config: Config): Quotas => ({
  inbox: config.quotaPerInboxMb * MIB,
  domain: config.quotaPerDomainMb * MIB,
  workspace: config.quotaPerWorkspaceMb * MIB,
})

/** Quotas do not apply to `postmaster` and `abuse`, where people report full mailboxes. */
async function verdictOfQuotas({ db }: StoreContext, quotas: Quotas, found: Recipient) {
  const inbox = inboxOf(found)
  if (inbox === undefined || isRole(inbox.localpart)) return undefined
  return verdictOnUsage(await mailUsage(db, inbox.claimId, inbox.localpart, quotas), quotas)
}

/** The inbox that stores mail for the recipient, if any. */
function inboxOf(found: Recipient) {
  if (found.is === 'customer') return found
  const { claimId, inbox } = found.is === 'bounce' ? found.sent : {}
  return inbox === undefined ? undefined : { claimId: claimId!, localpart: inbox }
}

function incomingStore(store: StoreContext, isShown: boolean): IncomingStore {
  return {
    mailDomain: (domain, localparts) => findMailDomain(store.db, domain, localparts),
    sentMessage: (id, domain) => findSentMessage(store, id, domain),
    recordReport: (report, about) => recordReport(store, report, about),
    isProbe: (recipient) => isProbeRecipient(store, recipient),
    keepAggregate: (received) => keepAggregate(store, received),
    keep: async (content, copies) => {
      await keepMessage(store, content, copies)
      if (isShown) store.doorbell.ring(TOPICS.copiesDue)
    },
    judgeProbe: (recipient, authentication) => judgeProbe(store, recipient, authentication),
  }
}

const judgingIn = ({ name, resolver, platform: { probeHost, mailHost } }: World) => ({
  name,
  resolver,
  probeHost,
  mailHost,
})

/** The sandbox connects to loopback only, so it needs a listener there. */
function addressesFor(configured: readonly Endpoint[], worlds: Worlds): readonly Endpoint[] {
  const isOnLoopback = configured.some(({ address }) => address === '127.0.0.1')
  if (isOnLoopback || !worlds.has('sandbox')) return configured
  return [...configured, { address: '127.0.0.1', port: 0 }]
}
