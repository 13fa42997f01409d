/** The messages of a reply that the main thread makes, for a thread with an event loop. */
import { readQuery } from '#dns/query.ts'
import { RCODE } from '#dns/types.ts'
import type { Transport } from '../answer.ts'
import { emptyReply } from '../transfer/messages.ts'
import type { HandedOver } from './handed-over.ts'
import type { ReplyPart } from './protocol.ts'

/**
 * Requests each message when it is taken. `ordinary` answers queries that turn out not to be a
 * secondary's.
 */
export async function* handedOverReply(
  handedOver: HandedOver,
  query: Buffer,
  transport: Transport,
  remote: string,
  ordinary: () => Buffer | undefined,
): AsyncGenerator<Buffer> {
  const first = Promise.withResolvers<ReplyPart>()
  const id = handedOver.begin(new Uint8Array(query), transport, remote, first.resolve)
  let part = id === undefined ? 'failed' : await first.promise
  let reply: Buffer | undefined
  if (part === 'ordinary') reply = ordinary()
  if (part === 'failed' && transport === 'tcp') reply = servfail(query)
  if (reply) yield reply
  if (id === undefined) return
  try {
    while (typeof part !== 'string') {
      yield Buffer.from(part.buffer)
      const next = Promise.withResolvers<ReplyPart>()
      handedOver.next(id, next.resolve)
      part = await next.promise
      if (part === 'failed') throw new Error('A transfer has failed half-way')
    }
  } finally {
    handedOver.end(id)
  }
}

function servfail(message: Buffer): Buffer | undefined {
  const query = readQuery(message)
  return query?.question && emptyReply(query, RCODE.SERVFAIL)
}
