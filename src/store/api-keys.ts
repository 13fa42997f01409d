import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { EventType } from '#events/catalogue.ts'
import { makeApiKey, worldOfKey } from '#names/api-key.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import { insertEvents, NEW_ID } from './events.ts'
import type { Tables, WorldName } from './tables.ts'

export type ApiKey = {
  keyId: string
  workspaceId: string
  world: WorldName
  scopes: readonly string[]
}

/** The workspace that exists from the first start. */
export const FIRST_WORKSPACE = '00000000-0000-7000-8000-000000000001'

/** The id of the bootstrap key, which has no row. */
export const BOOTSTRAP_KEY_ID = FIRST_WORKSPACE

/** Whether a key can manage the installation: a key of the first workspace with all scopes. */
export const isOfInstallation = ({ workspaceId, scopes }: ApiKey): boolean =>
  workspaceId === FIRST_WORKSPACE && scopes.includes('*')

export type WantedKey = {
  workspaceId: string
  world: WorldName
  name: string
  scopes: readonly string[]
  /** Undefined: the key works until it is revoked. */
  expiresAt?: Date | undefined
  /** The key that creates it; absent if the operator does. */
  createdByKeyId?: string
}

export type ApiKeyRow = Pick<
  Selectable<Tables['api_keys']>,
  'id' | 'name' | 'scopes' | 'expires_at' | 'created_at' | 'last_used_at' | 'created_by_key_id'
>

/** The columns that the API shows. */
const SHOWN = [
  'id',
  'name',
  'scopes',
  'expires_at',
  'created_at',
  'last_used_at',
  'created_by_key_id',
] as const

/** Creates a key and returns it with its text, which is not stored. */
export async function createApiKey(
  store: StoreContext,
  wanted: WantedKey,
): Promise<{ keyId: string; key: string; createdAt: Date }> {
  const key = makeApiKey(wanted.world)
  const kept = await insertApiKey(store, key, wanted)
  return { key, ...kept }
}

/** Stores a key, only as its keyed hash. */
export async function insertApiKey(
  { db, vault }: StoreContext,
  key: string,
  { workspaceId, world, name, scopes, expiresAt, createdByKeyId }: WantedKey,
): Promise<{ keyId: string; createdAt: Date }> {
  const id = newId()
  const hash = vault.fingerprint(key)
  const { rows } = await sql<{ createdAt: Date }>`
    with changed as (
      insert into api_keys (id, workspace_id, world, name, scopes, hash, expires_at, created_by_key_id)
      values (${id}, ${workspaceId}, ${world}, ${name}, ${[...scopes]}, ${hash}, ${expiresAt ?? null},
        ${createdByKeyId ?? null})
      returning *
    ), new_events as (${insertKeyEvents('key.created', sql`'The key ' || name || ' was made.'`)})
    select created_at as "createdAt" from changed`.execute(db)
  return { keyId: id, createdAt: rows[0]!.createdAt }
}

/** Inserts an event for each key in the CTE `changed`. */
export const insertKeyEvents = (
  type: EventType,
  message: RawBuilder<unknown>,
): RawBuilder<unknown> =>
  insertEvents(sql`
    select ${NEW_ID}, workspace_id, world, null::uuid, ${type}, null, ${message},
           jsonb_build_object('key_id', id, 'name', name) from changed`)

/** The key, unless it is unknown, revoked or expired. */
export async function findApiKey(
  { db, vault }: StoreContext,
  key: string,
): Promise<ApiKey | undefined> {
  if (worldOfKey(key) === undefined) return undefined
  const row = await db
    .selectFrom('api_keys')
    .select(['id', 'workspace_id', 'world', 'scopes'])
    .where('hash', '=', vault.fingerprint(key))
    .where('revoked_at', 'is', null)
    .where((is) => is.or([is('expires_at', 'is', null), is('expires_at', '>', new Date())]))
    .executeTakeFirst()
  return (
    row && { keyId: row.id, workspaceId: row.workspace_id, world: row.world, scopes: row.scopes }
  )
}

/** The workspace's keys of this world that are not revoked, newest first. */
export async function listApiKeys(
  { db }: StoreContext,
  { workspaceId, world }: ApiKey,
  { page, limit }: { page: number; limit: number },
): Promise<{ rows: ApiKeyRow[]; total: number }> {
  const standing = db
    .selectFrom('api_keys')
    .where('workspace_id', '=', workspaceId)
    .where('world', '=', world)
    .where('revoked_at', 'is', null)
  const [rows, { total }] = await Promise.all([
    standing
      .select(SHOWN)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit)
      .offset((page - 1) * limit)
      .execute(),
    standing.select(sql<number>`count(*)::int`.as('total')).executeTakeFirstOrThrow(),
  ])
  return { rows, total }
}

/** A key of this workspace and world that is not revoked. */
export async function readApiKey(
  { db }: StoreContext,
  { workspaceId, world }: ApiKey,
  keyId: string,
): Promise<ApiKeyRow | undefined> {
  return db
    .selectFrom('api_keys')
    .select(SHOWN)
    .where('id', '=', keyId)
    .where('workspace_id', '=', workspaceId)
    .where('world', '=', world)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
}

/** Records that a key was used now, at most once a minute. */
export async function recordApiKeyUse({ db }: StoreContext, keyId: string): Promise<void> {
  await db
    .updateTable('api_keys')
    .set({ last_used_at: sql<Date>`now()` })
    .where('id', '=', keyId)
    .where((is) =>
      is.or([
        is('last_used_at', 'is', null),
        is('last_used_at', '<=', sql<Date>`now() - interval '1 minute'`),
      ]),
    )
    .execute()
}

export async function findWorkspace(
  { db }: StoreContext,
  id: string,
): Promise<{ id: string; name: string; created_at: Date }> {
  return db.selectFrom('workspaces').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
}

export async function hasApiKeys({ db }: StoreContext): Promise<boolean> {
  return (await db.selectFrom('api_keys').select('id').limit(1).executeTakeFirst()) !== undefined
}

export async function ensureWorkspace(
  { db }: StoreContext,
  id: string,
  name: string,
): Promise<void> {
  await db
    .insertInto('workspaces')
    .values({ id, name })
    .onConflict((c) => c.doNothing())
    .execute()
}
