/** Rows that expire, and after how long. */
import { sql } from 'kysely'
import type { StoreContext } from './context.ts'

const ALL = sql`true`
/** The latest probe is the domain's proof. */
const IS_PAST = sql`exists (select from probes later where later.domain_id = probes.domain_id and later.id > probes.id
  and later.judged_at is not null)`
/** Inboxes of a domain go with it. */
const IS_ELSEWHERE_UNUSED = sql`domain_id is null
  and not exists (select from threads t where t.inbox_id = inboxes.id)
  and not exists (select from campaign_inboxes c where c.inbox_id = inboxes.id)`

// biome-ignore format: a table
const KEPT_FOR = [
  { table: 'outgoing_messages', which: ALL,                        since: 'finished_at', days: 30 },
  { table: 'provider_events',   which: ALL,                        since: 'received_at', days: 30 },
  { table: 'sandbox_messages',  which: ALL,                        since: 'received_at', days: 30 },
  { table: 'tls_policies',      which: ALL,                        since: 'expires_at',  days: 30 },
  { table: 'dmarc_reports',     which: ALL,                        since: 'received_at', days: 400 },
  { table: 'bulk_jobs',         which: ALL,                        since: 'created_at',  days: 30 },
  { table: 'events',            which: sql`type like 'message.%'`, since: 'at',          days: 30 },
  { table: 'events',            which: ALL,                        since: 'at',          days: 365 },
  { table: 'inboxes',           which: IS_ELSEWHERE_UNUSED,        since: 'removed_at',  days: 365 },
  { table: 'probes',            which: IS_PAST,                    since: 'judged_at',   days: 30 },
] as const

const DROPPED_AT_ONCE = 1000
const DROPS = 1000

/** Deletes expired rows in batches. */
export async function dropOldRows({ db }: StoreContext): Promise<void> {
  for (const { table, which, since, days } of KEPT_FOR) {
    for (let drop = 0; drop < DROPS; drop += 1) {
      const dropped = await sql`
        delete from ${sql.table(table)} where ctid = any(array(
          select ctid from ${sql.table(table)}
           where ${sql.ref(since)} <= now() - ${days} * interval '1 day' and ${which} limit ${DROPPED_AT_ONCE}))`.execute(
        db,
      )
      if (Number(dropped.numAffectedRows ?? 0) < DROPPED_AT_ONCE) break
    }
  }
}

const REMOVED_DOMAINS_KEPT_DAYS = 365
const DOMAINS_AT_ONCE = 100

/**
 * Deletes domains that were removed a year ago, with all that is known of them, once their archived mail has
 * expired too. Their claims stay, without a domain: a pair that a parent has shown is never drawn again.
 */
export async function dropRemovedDomains({ db }: StoreContext): Promise<void> {
  for (let drop = 0; drop < DROPS; drop += 1) {
    const { rows } = await sql`
      with old as (
        select id from domains d
         where removed_at <= now() - ${REMOVED_DOMAINS_KEPT_DAYS} * interval '1 day'
           and not exists (select from inboxes i join threads t on t.inbox_id = i.id where i.domain_id = d.id)
           and not exists (
             select from inboxes i join campaign_inboxes c on c.inbox_id = i.id where i.domain_id = d.id)
         order by removed_at limit ${DOMAINS_AT_ONCE} for update skip locked
      ), inboxes_gone as (delete from inboxes i using old where i.domain_id = old.id),
      claims_left as (update claims c set domain_id = null from old where c.domain_id = old.id)
      delete from domains d using old where d.id = old.id returning d.id`.execute(db)
    if (rows.length < DOMAINS_AT_ONCE) return
  }
}
