/** Hands a message over by SMTP, as a sender service finally does. */

import { Sessions } from '#mail/outgoing/sessions.ts'
import { transfer } from '#mail/outgoing/transfer.ts'
import type { Endpoint } from '#names/ip.ts'
import { LookupFailed } from '#resolver/resolver.ts'

export type Relayed = { envelopeSender: string; recipient: string; raw: Buffer }

const LIMIT_MS = 30_000

/** Sends everything to one server on loopback. Throws when it refuses. */
export function relayTo(server: () => Endpoint): (message: Relayed) => Promise<void> {
  const sessions = new Sessions()
  return async (message) => {
    const { address, port } = server()
    const result = await transfer(
      message,
      {
        resolver: { resolve: async () => Promise.reject(new LookupFailed('nothing is looked up')) },
        sessions,
        mailHost: 'mail.azurecomm.test',
        smtpPort: () => port,
        mayConnect: () => true,
        sourceAddresses: [],
        smarthost: { host: address, port, secure: false, credentials: undefined },
      },
      AbortSignal.timeout(LIMIT_MS),
    )
    if (result.is !== 'sent') throw new Error(result.reply)
  }
}
