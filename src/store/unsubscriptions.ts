/** Recipients who unsubscribe by the link in a message. */
import { sql } from 'kysely'
import {
  readUnsubscribeToken,
  UNSUBSCRIBE_PATH,
  type Unsubscription,
  unsubscribeToken,
} from '#mail/outgoing/unsubscribe.ts'
import type { StoreContext } from './context.ts'
import type { Tenant } from './domains.ts'
import { NEW_ID } from './events.ts'
import { insertSuppressionEvents, recipientHash } from './suppressions.ts'
import type { Vault } from './vault.ts'

/** The link in a message of the workspace to the recipient; `origin` is the public URL of the installation. */
export function unsubscribeUrl(
  vault: Vault,
  origin: string,
  { workspaceId, world }: Tenant,
  { messageId, recipient }: { messageId: string; recipient: string },
): string {
  const hash = recipientHash(vault, recipient)
  const of = { workspaceId, world, messageId, recipientHash: hash }
  return `${origin}${UNSUBSCRIBE_PATH}${unsubscribeToken(of, vault.fingerprint)}`
}

/** Undefined for a token that this installation did not make. */
export const unsubscriptionOf = (
  { vault }: StoreContext,
  token: string,
): Unsubscription | undefined => readUnsubscribeToken(token, vault.fingerprint)

/** The address that the link was sent to; undefined when the message is no longer stored. */
export async function addressOf(
  { db }: StoreContext,
  of: Unsubscription,
): Promise<string | undefined> {
  const { rows } = await recipientOf(of).execute(db)
  return rows[0]?.recipient
}

const recipientOf = ({ messageId, workspaceId, recipientHash }: Unsubscription) =>
  sql<{ recipient: string }>`
    select recipient from outgoing_messages
     where id = ${messageId} and workspace_id = ${workspaceId} and recipient_hash = ${recipientHash}`

/**
 * The workspace sends no more mail to the recipient. Safe to repeat. An entry of the sender's own, or after a bounce,
 * becomes the recipient's wish, which the sender cannot take back.
 */
export async function unsubscribe({ db }: StoreContext, of: Unsubscription): Promise<void> {
  await sql`
    with suppressed as (
      insert into suppressions as s (id, workspace_id, world, hash, address, reason, origin, detail)
      select ${NEW_ID}, w.id, ${of.world}, ${of.recipientHash}, (${recipientOf(of)}), 'unsubscribed', 'message',
             'by the link in the message ' || ${of.messageId}::text
        from workspaces w where w.id = ${of.workspaceId}
      on conflict (hash, world, workspace_id) do update
         set reason = 'unsubscribed', origin = 'message', detail = excluded.detail,
             address = coalesce(s.address, excluded.address)
       where s.reason in ('bounced', 'manual')
      returning *)
    ${insertSuppressionEvents}`.execute(db)
}
