/** All mail of a domain, message by message, for its export. */
import { sql } from 'kysely'
import type { StoreContext } from './context.ts'
import { receivedOctets } from './messages.ts'

export type ExportedMessage = { envelopeSender: string; receivedAt: Date; octets: Buffer }

const READ_AT_ONCE = 20
const FIRST = '00000000-0000-0000-0000-000000000000'

/** In order of arrival, with only a few in memory at a time. */
export async function* mailOfDomain(
  { db }: StoreContext,
  domainId: string,
): AsyncGenerator<ExportedMessage> {
  for (let after = FIRST; ; ) {
    const { rows } = await sql<{
      id: string
      envelope_sender: string
      received_at: Date
      trace: string
      encoding: 'identity' | 'zstd'
      content: Buffer
    }>`
      select m.id, m.envelope_sender, m.received_at, m.trace, t.encoding, t.content
        from claims c
        join messages m on m.claim_id = c.id
        join message_contents t on t.id = m.content_id
       where c.domain_id = ${domainId} and m.id > ${after}::uuid
       order by m.id limit ${READ_AT_ONCE}`.execute(db)
    for (const row of rows) {
      const { envelope_sender: envelopeSender, received_at: receivedAt } = row
      yield { envelopeSender, receivedAt, octets: receivedOctets(row) }
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < READ_AT_ONCE) return
    after = last.id
  }
}
