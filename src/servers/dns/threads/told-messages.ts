/** The messages of a reply that the main thread makes, for a thread with an event loop. */
import { readQuery } from '#dns/query.ts'
import { RCODE } from '#dns/types.ts'
import type { Transport } from '../answer.ts'
import { emptyReply } from '../transfer/messages.ts'
import type { HandedOver } from './handed-over.ts'
import type { Told } from './protocol.ts'

/**
 * Requests each message when it is taken. `ordinary` answers queries that turn out not to be a
 * secondary's.
 */
export async function* toldMessages(
  handedOver: HandedOver,
  query: Buffer,
  transport: Transport,
  remote: string,
  ordinary: () => Buffer | undefined,
): AsyncGenerator<Buffer> {
  const first = Promise.withResolvers<Told>()
  const id = handedOver.begin(new Uint8Array(query), transport, remote, first.resolve)
  let told = id === undefined ? 'failed' : await first.promise
  let reply: Buffer | undefined
  if (told === 'ordinary') reply = ordinary()
  if (told === 'failed' && transport === 'tcp') reply = servfail(query)
  if (reply) yield reply
  if (id === undefined) return
  try {
    while (typeof told !== 'string') {
      yield Buffer.from(told.buffer)
      const next = Promise.withResolvers<Told>()
      handedOver.next(id, next.resolve)
      told = await next.promise
      if (told === 'failed') throw new Error('A transfer has failed half-way')
    }
  } finally {
    handedOver.end(id)
  }
}

function servfail(message: Buffer): Buffer | undefined {
  const query = readQuery(message)
  return query?.question && emptyReply(query, RCODE.SERVFAIL)
}
