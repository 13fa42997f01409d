/** The operator's stop of all sending, in all workspaces and both worlds. */
import { type RawBuilder, type Selectable, sql } from 'kysely'
import { type StoreContext, TOPICS } from './context.ts'
import type { Tables } from './tables.ts'

export type SendingStop = Pick<Selectable<Tables['sending_stops']>, 'reason' | 'at'>

/** A condition of statements that take messages. */
export const isSendingOn: RawBuilder<boolean> = sql<boolean>`not exists (select from sending_stops)`

/** The stop, for a statement that answers it in a column; null while sending is on. */
export const stopInJson: RawBuilder<RawStop | null> = sql<RawStop | null>`
  (select jsonb_build_object('reason', reason, 'at', at) from sending_stops)`

/** In JSON, times are texts. */
export type RawStop = { reason: string; at: string }

export function readSendingStop({ db }: StoreContext): Promise<SendingStop | undefined> {
  return db.selectFrom('sending_stops').select(['reason', 'at']).executeTakeFirst()
}

/** A second stop changes the reason only. */
export async function stopSending(context: StoreContext, reason: string): Promise<SendingStop> {
  const stop = await context.db
    .insertInto('sending_stops')
    .values({ reason })
    .onConflict((c) => c.column('one').doUpdateSet({ reason }))
    .returning(['reason', 'at'])
    .executeTakeFirstOrThrow()
  context.doorbell.ring(TOPICS.sending)
  return stop
}

export async function startSending({ db, doorbell }: StoreContext): Promise<void> {
  await db.deleteFrom('sending_stops').execute()
  for (const topic of [TOPICS.sending, TOPICS.probesDue, TOPICS.outgoingDue]) doorbell.ring(topic)
}
