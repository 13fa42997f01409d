/** Reports on sent messages: bounced, delivered, or complained about. */
import { type RawBuilder, sql } from 'kysely'
import type { ReportedMessage } from '#mail/incoming/receive.ts'
import type { SentMessage } from '#mail/incoming/recipient.ts'
import { isDeadAddress } from '#mail/reports/dead-address.ts'
import type { Report } from '#mail/reports/read-report.ts'
import { localpartOf } from '#names/localpart.ts'
import { judgingSenders } from './circuit-breaker.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import type { OutgoingState } from './mail-tables.ts'
import { deleteUnusedContents } from './message-contents.ts'
import { insertMessageEvents, MESSAGE_EVENT_COLUMNS } from './message-events.ts'
import { suppressRecipients } from './suppressions.ts'

/** The message with this id, if this domain sent it and is not removed. */
export async function findSentMessage(
  { db }: StoreContext,
  id: string,
  domain: string,
): Promise<SentMessage | undefined> {
  const found = await db
    .selectFrom('outgoing_messages as m')
    .innerJoin('claims as c', 'c.id', 'm.claim_id')
    .innerJoin('holders as h', 'h.claim_id', 'm.claim_id')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .leftJoin('inboxes as i', (join) =>
      join.onRef('i.id', '=', 'm.inbox_id').on('i.removed_at', 'is', null),
    )
    .select(['m.id', 'm.claim_id', 'm.world', 'm.author', 'm.recipient', 'm.message_id'])
    .select('i.id as inbox_id')
    .where('m.id', '=', id)
    .where('c.name', '=', domain)
    .where('d.removal_requested_at', 'is', null)
    .executeTakeFirst()
  return (
    found && {
      id: found.id,
      claimId: found.claim_id,
      world: found.world,
      inbox: found.inbox_id === null ? undefined : localpartOf(found.author),
      recipient: found.recipient,
      messageId: found.message_id,
    }
  )
}

/** A complaint is final; a bounced message is never delivered later. */
const STATES: Readonly<
  Record<Exclude<Report['is'], 'delayed'>, { state: OutgoingState; from: readonly OutgoingState[] }>
> = {
  delivered: { state: 'delivered', from: ['sent', 'deferred', 'unknown'] },
  failed: { state: 'bounced', from: ['sent', 'deferred', 'unknown', 'delivered'] },
  complaint: { state: 'complained', from: ['sent', 'deferred', 'unknown', 'delivered'] },
}

/** Sets the message's state from the report, once. */
export async function recordReport(
  { db }: StoreContext,
  { is, reply, host }: Report,
  about: ReportedMessage,
): Promise<void> {
  if (is === 'delayed') return
  const { state, from } = STATES[is]
  const isUnwanted = sql`${is === 'complaint' || (is === 'failed' && isDeadAddress(reply))}::boolean`
  const write = (tx: Queryable) =>
    sql`
    with changed as (
      update outgoing_messages m
         set state = ${state}, last_reply = ${reply}, finished_at = coalesce(m.finished_at, now()),
             content_id = null
        from outgoing_messages before
       where ${isAbout(about)} and m.state = any(${[...from]}::text[]) and before.id = m.id
      returning ${MESSAGE_EVENT_COLUMNS}, before.content_id
    ), new_events as (
      ${insertMessageEvents}
    ), ${suppressRecipients(is === 'complaint' ? 'complained' : 'bounced', isUnwanted)}, kept as (
      insert into attempts (outgoing_message_id, number, host, outcome, reply)
      select id, (select coalesce(max(number), 0) + 1 from attempts where outgoing_message_id = changed.id),
             ${host}, ${state}, ${reply} from changed
    ), gone as (select id, content_id from changed)
    ${deleteUnusedContents}`.execute(tx)
  if (is === 'delivered') await write(db)
  else await db.transaction().execute((tx) => judgingSenders(tx, isAbout(about), write))
}

function isAbout(about: ReportedMessage): RawBuilder<unknown> {
  if ('id' in about) return sql`m.id = ${about.id}`
  const isTheirs = about.author === undefined ? sql`true` : sql`lower(m.author) = ${about.author}`
  return sql`m.message_id = ${about.messageId} and ${isTheirs}`
}
