/** Each inbox elsewhere: its servers, and its log-ins, sealed. */
import { sql } from 'kysely'
import type { ServerOf, SmtpAccount } from '#mail/elsewhere/servers.ts'
import { localpartOf } from '#names/localpart.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import { ownedBy, type Tenant } from './domains.ts'
import { type InboxRow, insertInboxEvents } from './inboxes.ts'
import type { Vault } from './vault.ts'

export type NewSmtpInbox = {
  address: string
  displayName: string
  inboxType: Exclude<InboxRow['inbox_type'], 'COLDSEND_NATIVE'>
  dailyLimit: number
  account: SmtpAccount
}

/** Whether the tenant has an inbox at this address. */
export async function hasInboxAt(
  { db }: Pick<StoreContext, 'db'>,
  tenant: Tenant,
  address: string,
): Promise<boolean> {
  const found = await db
    .selectFrom('inboxes')
    .select('id')
    .where((is) => is.and(ownedBy(tenant)))
    .where('address', '=', address)
    .where('removed_at', 'is', null)
    .executeTakeFirst()
  return found !== undefined
}

/** The new inbox; undefined where the tenant has one at this address already. */
export async function addSmtpInbox(
  { db, vault }: StoreContext,
  { workspaceId, world }: Tenant,
  { address, displayName, inboxType, dailyLimit, account }: NewSmtpInbox,
): Promise<InboxRow | undefined> {
  const id = newId()
  const { smtp, imap } = account
  const { rows } = await sql<InboxRow>`
    with changed as (
      insert into inboxes (id, workspace_id, world, localpart, address, display_name, inbox_type,
          daily_limit, status)
      values (${id}, ${workspaceId}, ${world}, ${localpartOf(address)}, ${address}, ${displayName},
              ${inboxType}, ${dailyLimit}, 'ACTIVE')
      on conflict (workspace_id, world, address) where domain_id is null and removed_at is null do nothing
      returning *
    ), accounts as (
      insert into smtp_accounts (inbox_id, smtp_host, smtp_port, smtp_encrypts, smtp_log_in,
          imap_host, imap_port, imap_encrypts, imap_log_in)
      select id, ${smtp.host}, ${smtp.port}::int, ${smtp.encrypts}::boolean, ${sealed(vault, id, smtp)},
             ${imap.host}, ${imap.port}::int, ${imap.encrypts}::boolean, ${sealed(vault, id, imap)}
        from changed
    ), new_events as (
      ${insertInboxEvents('inbox.created', sql`'The inbox ' || address || ' was added.'`)})
    select * from changed`.execute(db)
  return rows[0]
}

const labelOf = (inboxId: string): string => `log-in of inbox ${inboxId}`

const sealed = (vault: Vault, inboxId: string, { logIn }: ServerOf): string =>
  vault.seal(JSON.stringify(logIn), labelOf(inboxId))

/** The servers and log-ins of such an inbox; undefined once it is deleted. */
export async function findSmtpAccount(
  { db, vault }: StoreContext,
  inboxId: string,
): Promise<SmtpAccount | undefined> {
  const row = await db
    .selectFrom('smtp_accounts')
    .selectAll()
    .where('inbox_id', '=', inboxId)
    .executeTakeFirst()
  if (!row) return undefined
  const opened = (written: string) => JSON.parse(vault.open(written, labelOf(inboxId)))
  return {
    smtp: {
      host: row.smtp_host,
      port: row.smtp_port,
      encrypts: row.smtp_encrypts,
      logIn: opened(row.smtp_log_in),
    },
    imap: {
      host: row.imap_host,
      port: row.imap_port,
      encrypts: row.imap_encrypts,
      logIn: opened(row.imap_log_in),
    },
  }
}
