import { type ReceiveBook, type ReceiveOptions, receive } from '#mail/incoming/receive.ts'
import { findRecipient, verdictOn } from '#mail/incoming/recipient.ts'
import type { MailWorkers } from '#mail/workers/mail-workers.ts'
import type { Endpoint } from '#names/ip.ts'
import { listenInbound } from '#servers/smtp/inbound.ts'
import type { StoreContext } from '#store/context.ts'
import { findMailDomain } from '#store/mail-domains.ts'
import { findSentMessage, noteReport } from '#store/message-reports.ts'
import { keepMessage } from '#store/messages.ts'
import { isProbeRecipient, judgeProbe } from '#store/probes.ts'
import type { World, Worlds } from '../world.ts'
import type { Foundation } from './foundation.ts'

/** The `smtp` role: one listener for each address, and one on loopback for the sandbox. */
export async function openInbound(
  { config, store, tls, opened, onError }: Foundation,
  worlds: Worlds,
  workers: MailWorkers,
): Promise<readonly Endpoint[]> {
  const book = receiveBook(store)
  const receiving: ReceiveOptions = { book, workers, worlds: [...worlds.values()].map(judgingIn) }
  const listeners: Endpoint[] = []
  for (const { address, port } of addressesFor(config.smtpListen, worlds)) {
    const listener = await listenInbound({
      address,
      port,
      host: config.mailHost,
      tls,
      recipient: async (recipient) =>
        verdictOn(await findRecipient(recipient, receiving.worlds, book)),
      receive: (message, signal) => receive(message, receiving, signal),
      onError,
    })
    listeners.push(opened.use(listener))
  }
  return listeners
}

function receiveBook(store: StoreContext): ReceiveBook {
  return {
    mailDomain: (domain, localparts) => findMailDomain(store.db, domain, localparts),
    sentMessage: (id, domain) => findSentMessage(store, id, domain),
    noteReport: (report, about) => noteReport(store, report, about),
    isProbe: (recipient) => isProbeRecipient(store, recipient),
    keep: (content, copies) => keepMessage(store, content, copies),
    judgeProbe: (recipient, authentication) => judgeProbe(store, recipient, authentication),
  }
}

const judgingIn = ({ name, resolver, platform: { probeHost, mailHost } }: World) => ({
  name,
  resolver,
  probeHost,
  mailHost,
})

/** The sandbox connects to loopback only, so somebody must listen there. */
function addressesFor(configured: readonly Endpoint[], worlds: Worlds): readonly Endpoint[] {
  const isOnLoopback = configured.some(({ address }) => address === '127.0.0.1')
  if (isOnLoopback || !worlds.has('sandbox')) return configured
  return [...configured, { address: '127.0.0.1', port: 0 }]
}
