/** Addresses that get no mail: the list of a workspace, and the list of the installation. */
import { domainToASCII } from 'node:url'
import { type RawBuilder, type Selectable, sql } from 'kysely'
import { domainOf, localpartOf } from '#names/localpart.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import type { Tenant } from './domains.ts'
import { insertEvents, NEW_ID } from './events.ts'
import type { Tables } from './tables.ts'
import type { Vault } from './vault.ts'

export type SuppressionRow = Selectable<Tables['suppressions']>
export type Reason = SuppressionRow['reason']

/** By which an address is found. The case of an address and the spelling of its domain make no difference. */
export function recipientHash(vault: Vault, address: string): Buffer {
  const domain = domainOf(address).toLowerCase()
  const folded = `${localpartOf(address).toLowerCase()}@${domainToASCII(domain) || domain}`
  return vault.fingerprint(`recipient ${folded}`)
}

/** Whether `outgoing_messages m` has a recipient that gets no mail from its workspace. */
export const isSuppressed: RawBuilder<boolean> = sql<boolean>`exists (
  select from suppressions s
   where s.hash = m.recipient_hash and s.world = m.world
     and (s.workspace_id is null or s.workspace_id = m.workspace_id))`

/** Which of these hashes are on the workspace's list or the installation's. */
export async function suppressedAmong(
  db: Queryable,
  { workspaceId, world }: Tenant,
  hashes: readonly Buffer[],
): Promise<ReadonlySet<string>> {
  if (hashes.length === 0) return new Set()
  const { rows } = await sql<{ hash: Buffer }>`
    select hash from suppressions
     where hash = any(${[...hashes]}::bytea[]) and world = ${world}
       and (workspace_id is null or workspace_id = ${workspaceId})`.execute(db)
  return new Set(rows.map(({ hash }) => hash.toString('hex')))
}

/** Whether the address gets no mail from the workspace. */
export async function isSuppressedFor(
  { db, vault }: StoreContext,
  tenant: Tenant,
  address: string,
): Promise<boolean> {
  return (await suppressedAmong(db, tenant, [recipientHash(vault, address)])).size > 0
}

/**
 * Part of a statement: suppresses the recipients of the messages in the CTE `changed` that meet `which`, and
 * inserts the events. An address that is on the list already stays as it is.
 */
export const suppressRecipients = (reason: Reason, which: RawBuilder<unknown>) => sql`
  suppressed as (
    insert into suppressions (id, workspace_id, world, hash, address, reason, origin, detail)
    select distinct on (workspace_id, world, recipient_hash)
           ${NEW_ID}, workspace_id, world, recipient_hash, recipient, ${reason}, 'message', last_reply
      from changed where recipient_hash is not null and origin <> 'probe' and ${which}
    on conflict do nothing returning *),
  suppression_events as (${insertSuppressionEvents})`

/** Inserts an event for each row of the CTE `suppressed`. */
export const insertSuppressionEvents = insertEvents(sql`
  select ${NEW_ID}, workspace_id, world, null::uuid, 'suppression.added', null,
         coalesce(address, 'An address') || ' gets no more mail.',
         jsonb_build_object('suppression_id', id, 'address', address, 'reason', reason)
    from suppressed where workspace_id is not null`)

/** The list of a workspace, or of the installation. */
export type SuppressionList = { world: Tenant['world']; workspaceId: string | null }

/** Adds addresses to a list. Returns the new rows; addresses that it has stay as they are. */
export async function addSuppressions(
  { db, vault }: StoreContext,
  { world, workspaceId }: SuppressionList,
  addresses: readonly string[],
  { reason, origin }: Pick<SuppressionRow, 'reason' | 'origin'>,
): Promise<SuppressionRow[]> {
  const hashed = new Map(
    addresses.map((address) => [recipientHash(vault, address).toString('hex'), address]),
  )
  const { rows } = await sql<SuppressionRow>`
    with suppressed as (
      insert into suppressions (id, workspace_id, world, hash, address, reason, origin)
      select id, ${workspaceId}::uuid, ${world}, decode(hash, 'hex'), address, ${reason}, ${origin}
        from unnest(${[...hashed].map(() => newId())}::uuid[], ${[...hashed.keys()]}::text[],
                    ${[...hashed.values()]}::text[]) as a (id, hash, address)
      on conflict do nothing returning *),
    suppression_events as (${insertSuppressionEvents})
    select * from suppressed`.execute(db)
  return rows
}

export type SuppressionFilter = {
  limit: number
  after: string | undefined
  reason: string | undefined
  search: string | undefined
}

/** Newest first, behind the entry `after`. */
export async function listSuppressions(
  { db }: StoreContext,
  list: SuppressionList,
  { limit, after, reason, search }: SuppressionFilter,
): Promise<SuppressionRow[]> {
  let query = ofList(db, list).orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit)
  if (reason !== undefined) query = query.where(sql`reason`, '=', reason)
  if (search !== undefined)
    query = query.where(sql<boolean>`position(${search.toLowerCase()} in lower(address)) > 0`)
  if (after !== undefined)
    query = query.where(
      sql<boolean>`(created_at, id) < (select created_at, id from suppressions where id = ${after})`,
    )
  return query.execute()
}

export function findSuppression(
  { db, vault }: StoreContext,
  list: SuppressionList,
  address: string,
): Promise<SuppressionRow | undefined> {
  return ofList(db, list).where('hash', '=', recipientHash(vault, address)).executeTakeFirst()
}

const ofList = (db: Queryable, { world, workspaceId }: SuppressionList) =>
  db
    .selectFrom('suppressions')
    .selectAll()
    .where('world', '=', world)
    .where('workspace_id', workspaceId === null ? 'is' : '=', workspaceId)

/** Whose wish an entry is: senders may take back their own, not those of recipients. */
export const isOfRecipient = (reason: Reason): boolean =>
  reason === 'complained' || reason === 'unsubscribed'

/** Removes an entry, unless it is the wish of its recipient. */
export async function removeSuppression(
  { db }: StoreContext,
  list: SuppressionList,
  id: string,
): Promise<'removed' | 'of_recipient' | 'gone'> {
  const row = await ofList(db, list).where('id', '=', id).executeTakeFirst()
  if (!row) return 'gone'
  if (isOfRecipient(row.reason)) return 'of_recipient'
  await db.deleteFrom('suppressions').where('id', '=', id).execute()
  return 'removed'
}
