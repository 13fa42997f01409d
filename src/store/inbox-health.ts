/** How sending from an inbox went lately. */
import { sql } from 'kysely'
import type { ProbeJudgement } from '#domains/ports.ts'
import type { StoreContext } from './context.ts'
import type { InboxRow } from './inboxes.ts'

export type InboxHealth = {
  /** Messages that count towards the limit of 24 hours. */
  sentLastDay: number
  /** These three of the last 30 days. */
  sent: number
  bounced: number
  complained: number
  /** The last message that was not delivered, within 30 days. */
  lastError: { at: Date; recipient: string; reply: string } | null
  /** The results of the domain's last judged probe. */
  judgement: ProbeJudgement | null
}

export async function readInboxHealth(
  { db }: StoreContext,
  { id, domain_id }: InboxRow,
): Promise<InboxHealth> {
  const { rows } = await sql<Omit<InboxHealth, 'lastError'> & { error: RawError | null }>`
    with recent as (
      select * from outgoing_messages
       where inbox_id = ${id} and created_at > now() - interval '30 days' and state <> 'cancelled')
    select count(*) filter (where created_at > now() - interval '24 hours')::int as "sentLastDay",
           count(*)::int as sent,
           count(*) filter (where state = 'bounced')::int as bounced,
           count(*) filter (where state = 'complained')::int as complained,
           (select jsonb_build_object('at', finished_at, 'recipient', recipient, 'reply', last_reply)
              from recent where state in ('failed', 'bounced', 'complained')
             order by finished_at desc limit 1) as error,
           (select judgement from probes where domain_id = ${domain_id} and judgement is not null
             order by id desc limit 1) as judgement
      from recent`.execute(db)
  const { error, ...health } = rows[0]!
  return { ...health, lastError: error && { ...error, at: new Date(error.at) } }
}

/** In JSON, times are texts. */
type RawError = { at: string; recipient: string; reply: string }
