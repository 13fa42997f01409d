import { sql } from 'kysely'
import type { DeliveryReport } from '#drivers/sender/contract.ts'
import { judgingSenders } from './circuit-breaker.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import type { OutgoingState } from './mail-tables.ts'
import { insertMessageEvents, MESSAGE_EVENT_COLUMNS } from './message-events.ts'
import { suppressRecipients } from './suppressions.ts'

/** Stores a sender service's reports on messages. A repeated event changes nothing. */
export async function keepReports(
  { db }: StoreContext,
  account: string,
  reports: readonly DeliveryReport[],
): Promise<void> {
  for (const report of reports) {
    await db.transaction().execute((tx) => keepReport(tx, account, report))
  }
}

async function keepReport(tx: Queryable, account: string, report: DeliveryReport): Promise<void> {
  const isNew = await tx
    .insertInto('provider_events')
    .values({ account, event_id: report.eventId })
    .onConflict((c) => c.doNothing())
    .returning('event_id')
    .executeTakeFirst()
  if (!isNew) return
  const { operationId, recipient, state, detail, at } = report
  // Skips unknown messages: another installation may use the same account.
  const known = await tx
    .updateTable('handed_over')
    .set({ state, detail, reported_at: at })
    .where('account', '=', account)
    .where('operation_id', '=', operationId)
    .where('recipient', '=', recipient)
    // Reports come in any order: the latest attempt counts.
    .where(sql<boolean>`coalesce(reported_at, '-infinity') <= ${at}`)
    .returning('claim_id')
    .executeTakeFirst()
  if (known) await recordReport(tx, account, report)
}

/** The state that a report sets; a message never given to the recipient has failed. */
const STATES: Record<DeliveryReport['state'], OutgoingState> = {
  delivered: 'delivered',
  bounced: 'bounced',
  failed: 'failed',
  filtered: 'failed',
  quarantined: 'failed',
  suppressed: 'failed',
}

/** Services know messages by our ids. */
async function recordReport(tx: Queryable, account: string, report: DeliveryReport): Promise<void> {
  const { operationId, recipient, state, detail } = report
  if (!UUID.test(operationId)) return
  const write = () =>
    sql`
    with changed as (
      update outgoing_messages m
         set state = ${STATES[state]}, last_reply = ${detail.slice(0, REPLY_LIMIT)},
             finished_at = coalesce(finished_at, now())
       where id = ${operationId} and account = ${account} and recipient = ${recipient}
         and state <> 'cancelled'
      returning ${MESSAGE_EVENT_COLUMNS}),
    ${suppressRecipients('bounced', sql`${state === 'bounced'}::boolean`)}
    ${insertMessageEvents}`.execute(tx)
  await judgingSenders(tx, sql`m.id = ${operationId}`, write)
}

const REPLY_LIMIT = 1000
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
