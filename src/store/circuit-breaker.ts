/** Pauses inboxes whose mail comes back or draws complaints, in the transaction that learns of it. */
import { type RawBuilder, sql } from 'kysely'
import { type BreakerPause, pausesOf, type SendingRecord } from '#mail/outgoing/breaker.ts'
import type { Queryable } from './database.ts'
import { insertInboxEvents } from './inboxes.ts'

/** The latest messages of an inbox that count, and how old they may be. */
const COUNTED = { messages: 2000, days: 7 }

/**
 * Writes what became of the messages `m` that `which` selects, and judges their domains after that. Holds the inboxes
 * first, as those who resume or remove them do: so each of two reports at once sees the other.
 */
export async function judgingSenders(
  tx: Queryable,
  which: RawBuilder<unknown>,
  write: (tx: Queryable) => Promise<unknown>,
): Promise<void> {
  const { rows: held } = await sql<{ id: string }>`
    select id from inboxes
     where removed_at is null and domain_id in (
       select c.domain_id from outgoing_messages m join claims c on c.id = m.claim_id
        where ${which} and m.inbox_id is not null)
     order by id for no key update`.execute(tx)
  await write(tx)
  if (held.length === 0) return
  const records = await recordsOf(
    tx,
    held.map(({ id }) => id),
  )
  for (const inboxes of Map.groupBy(records, ({ domainId }) => domainId).values())
    for (const pause of pausesOf(inboxes)) await insertPause(tx, pause)
}

type DomainRecord = SendingRecord & { id: string; domainId: string }

/** Of the active ones. A message that was given up, or that we refused ourselves, was not sent. */
async function recordsOf(tx: Queryable, ids: readonly string[]): Promise<DomainRecord[]> {
  const { rows } = await sql<DomainRecord>`
    select i.id, i.domain_id as "domainId", r.* from inboxes i cross join lateral (
      select count(*) filter (where is_bounced or state in ('sent', 'delivered', 'complained', 'unknown'))::int as sent,
             count(*) filter (where is_bounced)::int as bounced,
             count(*) filter (where state = 'complained')::int as complained
        from (
          select state, ${IS_BOUNCED} as is_bounced from outgoing_messages
           where inbox_id = i.id and finished_at >= coalesce(i.counted_from, '-infinity')
             and created_at > now() - ${COUNTED.days} * interval '1 day'
           order by created_at desc limit ${COUNTED.messages}) latest) r
     where i.id = any(${[...ids]}::uuid[]) and i.status = 'ACTIVE'
     order by i.id`.execute(tx)
  return rows
}

/** Reported as such, or refused for good by the other host or for an address that cannot be. */
const IS_BOUNCED = sql`(
  state = 'bounced' or (state = 'failed' and last_reply ~ '^(5[0-9][0-9]|5[.]1[.])'))`

async function insertPause(tx: Queryable, { inboxIds, reason, message }: BreakerPause) {
  await sql`
    with changed as (
      update inboxes set status = 'PAUSED', pause = ${pauseOf(reason, message)}
       where id = any(${[...inboxIds]}::uuid[]) and status = 'ACTIVE' returning *)
    ${insertInboxEvents('inbox.paused', sql`'The inbox ' || address || ' was paused. ' || ${message}`, sql`jsonb_build_object('reason', ${reason}::text)`)}`.execute(
    tx,
  )
}

/** The column `pause` of inboxes. */
export const pauseOf = (reason: string, message: string): RawBuilder<unknown> => sql`
  jsonb_build_object('reason', ${reason}::text, 'message', ${message}::text, 'at', now())`
