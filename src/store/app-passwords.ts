/** The app passwords of inboxes, and who logs in with one. */
import { type Selectable, sql } from 'kysely'
import type { LogIn } from '#mail/submission/log-in.ts'
import { makeAppPassword } from '#names/app-password.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { Queryable } from './database.ts'
import { insertInboxEvents } from './inboxes.ts'
import { DOVECOT } from './mailbox-copies.ts'
import type { Tables } from './tables.ts'

export type AppPasswordRow = Omit<Selectable<Tables['app_passwords']>, 'hash'>

export type NewPassword = { name: string; expiresAt: Date | undefined }

/** The password, which is not kept, and its row. */
export type MadePassword = { password: string; row: AppPasswordRow }

/** Undefined when the inbox is gone, or has `max` passwords that still work. */
export function createAppPassword(
  { db }: StoreContext,
  inboxId: string,
  wanted: NewPassword,
  max: number,
): Promise<MadePassword | undefined> {
  return db.transaction().execute(async (tx) => {
    // Locked before it is counted, so that two requests at once do not both take the last place.
    await tx.selectFrom('inboxes').select('id').where('id', '=', inboxId).forNoKeyUpdate().execute()
    return insertAppPassword(tx, inboxId, wanted, max)
  })
}

/** The same in a transaction that holds the inbox. */
export async function insertAppPassword(
  tx: Queryable,
  inboxId: string,
  { name, expiresAt }: NewPassword,
  max: number,
): Promise<MadePassword | undefined> {
  const { id, password, hash } = makeAppPassword()
  const { rows } = await sql<AppPasswordRow>`
    with changed as (
      select i.* from inboxes i where i.id = ${inboxId} and i.removed_at is null
    ), made as (
      insert into app_passwords (id, inbox_id, name, hash, expires_at)
      select ${id}, changed.id, ${name}, ${hash}, ${expiresAt ?? null}::timestamptz from changed
       where (select count(*) from app_passwords p where p.inbox_id = changed.id and ${worksOf(sql`p`)}) < ${max}
      returning id, inbox_id, name, created_at, expires_at, last_used_at
    ), new_events as (
      ${passwordEvents('created', sql`made`)})
    select * from made`.execute(tx)
  return rows[0] && { password, row: rows[0] }
}

const worksOf = (alias: ReturnType<typeof sql>) =>
  sql<boolean>`(${alias}.expires_at is null or ${alias}.expires_at > now())`

/** For the rows of `passwords`, whose inboxes are in the CTE `changed`. */
const passwordEvents = (act: 'created' | 'revoked', passwords: ReturnType<typeof sql>) =>
  insertInboxEvents(
    `inbox.password_${act}`,
    sql`'The app password "' || p.name || '" of ' || address || ${` was ${act}.`}`,
    sql`jsonb_build_object('password_id', p.id, 'name', p.name)`,
    sql`join ${passwords} p on p.inbox_id = changed.id`,
  )

/** Oldest first, those that have expired too. */
export function listAppPasswords({ db }: StoreContext, inboxId: string): Promise<AppPasswordRow[]> {
  return db
    .selectFrom('app_passwords')
    .select(['id', 'inbox_id', 'name', 'created_at', 'expires_at', 'last_used_at'])
    .where('inbox_id', '=', inboxId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}

/** Deletes the password, and asks for the end of its sessions. False when the inbox has none of that id. */
export async function revokeAppPassword(
  { db, doorbell }: StoreContext,
  inboxId: string,
  id: string,
): Promise<boolean> {
  const { rows } = await sql`
    with gone as (
      delete from app_passwords where id = ${id} and inbox_id = ${inboxId} returning id, inbox_id, name
    ), changed as (
      select i.* from inboxes i join gone on gone.inbox_id = i.id
    ), ended as (
      insert into ended_log_ins (mail_user)
      select changed.id || '@' || c.id from changed
        join domains d on d.id = changed.domain_id and d.mailbox_driver = ${DOVECOT}
        join claims c on c.domain_id = d.id
      on conflict do nothing
    ), new_events as (
      ${passwordEvents('revoked', sql`gone`)})
    select id from gone`.execute(db)
  doorbell.ring(TOPICS.logInsEnded)
  return rows.length > 0
}

/** Whom this password logs in; undefined once it has expired or is revoked, or its inbox is removed. */
export async function findLogIn(db: Queryable, passwordId: string): Promise<LogIn | undefined> {
  const { rows } = await sql<Omit<LogIn, 'claim'> & { claimId: string; name: string }>`
    select p.id as "passwordId", p.hash, i.id as "inboxId", i.address, i.localpart, d.name, i.world,
           i.workspace_id as "workspaceId", c.id as "claimId", d.sender_driver as "account",
           d.mailbox_driver as "mailbox"
      from app_passwords p
      join inboxes i on i.id = p.inbox_id
      join domains d on d.id = i.domain_id
      join claims c on c.domain_id = d.id
     where p.id = ${passwordId} and ${worksOf(sql`p`)} and i.removed_at is null
       and d.removal_requested_at is null`.execute(db)
  const [row] = rows
  if (!row) return undefined
  const { claimId, name, ...logIn } = row
  return { ...logIn, claim: { claimId, name } }
}

/** Notes the use of a password, once a minute at most. */
export async function recordPasswordUse(db: Queryable, passwordId: string): Promise<void> {
  await sql`
    update app_passwords set last_used_at = now()
     where id = ${passwordId} and (last_used_at is null or last_used_at < now() - interval '1 minute')`.execute(
    db,
  )
}
