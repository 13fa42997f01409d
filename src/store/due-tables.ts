/** The tables with due rows. */
import { type QueryExecutorProvider, sql } from 'kysely'
import { type DueTable, wakeRow } from '#engine/due-rows.ts'

export const DOMAINS: DueTable = { name: 'domains', alive: sql`removed_at is null` }
export const OUTGOING: DueTable = { name: 'outgoing_messages', alive: sql`finished_at is null` }
export const MAILBOX_COPIES: DueTable = { name: 'mailbox_copies', alive: sql`true` }

/** Makes a domain due now. Part of the caller's transaction; ring the doorbell after it is committed. */
export const wakeDomain = (db: QueryExecutorProvider, id: string): Promise<void> =>
  wakeRow(db, DOMAINS, id)
