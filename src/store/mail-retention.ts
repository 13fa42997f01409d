/** Deletes expired messages and what belongs to them. */
import { type RawBuilder, sql } from 'kysely'
import type { StoreContext } from './context.ts'
import type { Database } from './database.ts'
import { subtractUsageOfGone } from './mail-usage.ts'
import { deleteUnusedContents } from './message-contents.ts'

const DROPPED_AT_ONCE = 500
const DROPS = 1000

/** Deletes the expired mail of removed domains and inboxes, in batches. */
export async function dropMailOfRemoved({ db }: StoreContext): Promise<void> {
  await dropMessages(
    db,
    sql`
    select m.id from messages m join claims c on c.id = m.claim_id join domains d on d.id = c.domain_id
     where d.mail_until <= now()`,
  )
  await dropMessages(
    db,
    sql`
    select m.id from messages m join threads t on t.id = m.thread_id join inboxes i on i.id = t.inbox_id
     where i.mail_until <= now()`,
  )
  await dropThreads(
    db,
    sql`
    select t.id from threads t join inboxes i on i.id = t.inbox_id join domains d on d.id = i.domain_id
     where d.mail_until <= now() or i.mail_until <= now()`,
  )
}

/** Deletes messages older than `days`, and conversations left empty; 0: nothing. */
export async function dropOldMail({ db }: StoreContext, days: number): Promise<void> {
  if (days === 0) return
  const since = sql`now() - ${days} * interval '1 day'`
  await dropMessages(db, sql`select m.id from messages m where m.received_at <= ${since}`)
  await dropThreads(
    db,
    sql`
    select t.id from threads t where t.last_message_at <= ${since}
       and not exists (select from messages m where m.thread_id = t.id)`,
  )
}

/** With the octets that no other message shares. */
async function dropMessages(db: Database, which: RawBuilder<unknown>): Promise<void> {
  await untilFew(() =>
    sql`
    with gone as (
      delete from messages where id in (${which} limit ${DROPPED_AT_ONCE}) returning id, content_id, claim_id, localpart
    ), contents as (${deleteUnusedContents}), usage as (${subtractUsageOfGone})
    select id from gone`.execute(db),
  )
}

const dropThreads = (db: Database, which: RawBuilder<unknown>): Promise<void> =>
  untilFew(() =>
    sql`delete from threads where id in (${which} limit ${DROPPED_AT_ONCE}) returning id`.execute(
      db,
    ),
  )

async function untilFew(drop: () => Promise<{ rows: unknown[] }>): Promise<void> {
  for (let drops = 0; drops < DROPS; drops++) {
    const { rows } = await drop()
    if (rows.length < DROPPED_AT_ONCE) return
  }
}
