/** What Dovecot is to be told: messages to show, and sessions to end. */
import { sql } from 'kysely'
import type { Taken } from '#engine/due-rows.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import { receivedOctets } from './messages.ts'

/** The account whose mailboxes Dovecot shows. */
export const DOVECOT = 'dovecot'

export type MailboxCopy = {
  inboxId: string
  claimId: string
  /** Its inbox or domain is being removed, or is. */
  isRemoved: boolean
  sender: string
  raw: Buffer
  arrivedAt: Date
}

/** Undefined when its message was deleted. */
export async function loadCopy({ db }: StoreContext, id: string): Promise<MailboxCopy | undefined> {
  const found = await db
    .selectFrom('mailbox_copies as o')
    .innerJoin('messages as m', 'm.id', 'o.id')
    .innerJoin('message_contents as b', 'b.id', 'm.content_id')
    .innerJoin('inboxes as i', 'i.id', 'o.inbox_id')
    .innerJoin('domains as d', 'd.id', 'i.domain_id')
    .select(['o.inbox_id', 'm.claim_id', 'm.envelope_sender', 'm.trace', 'm.received_at'])
    .select(['b.encoding', 'b.content', 'i.removed_at', 'd.removal_requested_at'])
    .where('o.id', '=', id)
    .executeTakeFirst()
  if (!found) return undefined
  return {
    inboxId: found.inbox_id,
    claimId: found.claim_id!,
    isRemoved: found.removed_at !== null || found.removal_requested_at !== null,
    sender: found.envelope_sender,
    raw: receivedOctets(found),
    arrivedAt: found.received_at,
  }
}

/** The copy is handed over, or given up. */
export async function dropCopy({ db }: StoreContext, { id, epoch }: Taken): Promise<void> {
  await db.deleteFrom('mailbox_copies').where('id', '=', id).where('epoch', '=', epoch).execute()
}

/** Takes the mail users whose sessions are to be ended. */
export async function takeEndedLogIns({ db }: StoreContext): Promise<string[]> {
  const rows = await db.deleteFrom('ended_log_ins').returning('mail_user').execute()
  return rows.map(({ mail_user }) => mail_user)
}

export async function putBackEndedLogIn({ db }: StoreContext, mailUser: string): Promise<void> {
  await db
    .insertInto('ended_log_ins')
    .values({ mail_user: mailUser })
    .onConflict((c) => c.doNothing())
    .execute()
}

/** The removed inboxes at a localpart of a claim's domain. */
export async function removedInboxes(
  { db }: StoreContext,
  claimId: string,
  localpart: string,
): Promise<string[]> {
  const rows = await db
    .selectFrom('inboxes as i')
    .innerJoin('claims as c', 'c.domain_id', 'i.domain_id')
    .select('i.id')
    .where('c.id', '=', claimId)
    .where('i.localpart', '=', localpart)
    .where('i.removed_at', 'is not', null)
    .execute()
  return rows.map(({ id }) => id)
}

/** The mailbox service of each of these domains. */
export async function mailboxAccounts(
  db: Queryable,
  domainIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await sql<{ id: string; account: string }>`
    select id, mailbox_driver as account from domains where id = any(${[...domainIds]}::uuid[])`.execute(
    db,
  )
  return new Map(rows.map(({ id, account }) => [id, account]))
}
