/**
 * Keys created by keys. A key never expires after its creator, and is revoked alone or together with its
 * descendants: the keys it created, and so on.
 */
import { sql } from 'kysely'
import {
  type ApiKey,
  BOOTSTRAP_KEY_ID,
  createApiKey,
  FIRST_WORKSPACE,
  insertKeyEvents,
  isOfInstallation,
} from './api-keys.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'

export type ChildKey = { name: string; scopes: readonly string[]; expiresAt: Date | undefined }

export type MadeKey = {
  is: 'made'
  keyId: string
  key: string
  createdAt: Date
  expiresAt: Date | undefined
}

/** Creates a key in its creator's workspace and world, up to a limit of working keys. */
export function makeKey(
  store: StoreContext,
  maker: ApiKey,
  { name, scopes, expiresAt }: ChildKey,
  maxKeys: number,
): Promise<MadeKey | { is: 'maker_ended' } | { is: 'too_many' }> {
  return store.db.transaction().execute(async (tx) => {
    await lockKeyTree(tx)
    const end = await expiryOf(tx, maker)
    if (end === 'ended') return { is: 'maker_ended' }
    if ((await countWorking(tx, maker)) >= maxKeys) return { is: 'too_many' }
    const wanted = {
      workspaceId: maker.workspaceId,
      world: maker.world,
      name,
      scopes,
      expiresAt: earlierOf(expiresAt, end),
      createdByKeyId: maker.keyId,
    }
    const made = await createApiKey({ ...store, db: tx }, wanted)
    return { is: 'made', ...made, expiresAt: wanted.expiresAt }
  })
}

async function countWorking(tx: Queryable, { workspaceId, world }: ApiKey): Promise<number> {
  const { working } = await tx
    .selectFrom('api_keys')
    .select(sql<number>`count(*)::int`.as('working'))
    .where('workspace_id', '=', workspaceId)
    .where('world', '=', world)
    .where('revoked_at', 'is', null)
    .where((is) => is.or([is('expires_at', 'is', null), is('expires_at', '>', new Date())]))
    .executeTakeFirstOrThrow()
  return working
}

/**
 * Serialises creating and revoking keys: a tree must not grow while it is revoked, and simultaneous creators
 * must count each other's keys.
 */
export async function lockKeyTree(tx: Queryable): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('api keys', 0))`.execute(tx)
}

/** When a key expires; undefined: never; `ended`: revoked or expired since the request began. */
export async function expiryOf(
  tx: Queryable,
  { keyId }: ApiKey,
): Promise<Date | undefined | 'ended'> {
  if (keyId === BOOTSTRAP_KEY_ID) return undefined
  const row = await tx
    .selectFrom('api_keys')
    .select(['expires_at', 'revoked_at'])
    .where('id', '=', keyId)
    .executeTakeFirst()
  if (!row || row.revoked_at) return 'ended'
  if (row.expires_at && row.expires_at <= new Date()) return 'ended'
  return row.expires_at ?? undefined
}

function earlierOf(a: Date | undefined, b: Date | undefined): Date | undefined {
  if (!a || !b) return a ?? b
  return a < b ? a : b
}

export type Revoked = {
  /** How many descendants were revoked with it, and how many still work. */
  descendantsRevoked: number
  descendantsLeft: number
}

/** Revokes a key alone. Undefined if the caller's workspace and world have no such key. */
export function revokeKey(
  store: StoreContext,
  caller: ApiKey,
  keyId: string,
): Promise<Revoked | undefined> {
  return store.db.transaction().execute(async (tx) => {
    await lockKeyTree(tx)
    const { rows } = await sql`
      with changed as (
        update api_keys set revoked_at = now()
         where id = ${keyId} and workspace_id = ${caller.workspaceId} and world = ${caller.world}
           and revoked_at is null
        returning *
      ), new_events as (${insertRevokedEvents})
      select from changed`.execute(tx)
    if (rows.length === 0) return undefined
    return { descendantsRevoked: 0, descendantsLeft: await countDescendants(tx, caller, keyId) }
  })
}

/**
 * Revokes a key and its descendants. A revoked key and the bootstrap key have descendants too. Undefined if
 * there is nothing to revoke.
 */
export function revokeKeyTree(
  store: StoreContext,
  caller: ApiKey,
  keyId: string,
): Promise<Revoked | undefined> {
  return store.db.transaction().execute(async (tx) => {
    await lockKeyTree(tx)
    const { rows } = await sql<{ id: string; worked: boolean }>`
      ${treeOf(caller, keyId)}, changed as (
        update api_keys k set revoked_at = now() from tree
         where k.id = tree.id and k.revoked_at is null and ${isInReachOf(caller)}
        returning k.*
      ), new_events as (${insertRevokedEvents})
      select id, (expires_at is null or expires_at > now()) as worked from changed`.execute(tx)
    if (rows.length === 0) return undefined
    const descendants = rows.filter(({ id, worked }) => worked && id !== keyId)
    return { descendantsRevoked: descendants.length, descendantsLeft: 0 }
  })
}

const insertRevokedEvents = insertKeyEvents(
  'key.revoked',
  sql`'The key ' || name || ' was revoked.'`,
)

async function countDescendants(tx: Queryable, caller: ApiKey, keyId: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    ${treeOf(caller, keyId)}
    select count(*)::int as count from api_keys k join tree using (id)
     where k.id <> ${keyId} and k.revoked_at is null
       and (k.expires_at is null or k.expires_at > now()) and ${isInReachOf(caller)}`.execute(tx)
  return rows[0]!.count
}

/** The key and its descendants, also of a revoked key; empty if the key is not of the caller's workspace. */
const treeOf = ({ workspaceId, world }: ApiKey, keyId: string) => sql`
  with recursive tree as (
    select ${keyId}::uuid as id
     where (${keyId} = ${BOOTSTRAP_KEY_ID} and ${workspaceId} = ${FIRST_WORKSPACE})
        or exists (select from api_keys where id = ${keyId} and workspace_id = ${workspaceId} and world = ${world})
    union
    select made.id from api_keys made join tree on made.created_by_key_id = tree.id)`

/** Installation keys create the first keys of workspaces, so they reach other workspaces. */
const isInReachOf = (caller: ApiKey) => sql<boolean>`
  k.world = ${caller.world}
  and (${isOfInstallation(caller)} or k.workspace_id = ${caller.workspaceId})`
