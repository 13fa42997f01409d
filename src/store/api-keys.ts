import { makeApiKey, worldOfKey } from '#names/api-key.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import type { WorldName } from './tables.ts'

export type ApiKey = {
  keyId: string
  workspaceId: string
  world: WorldName
  scopes: readonly string[]
}

/** The workspace that exists from the first start. */
export const FIRST_WORKSPACE = '00000000-0000-7000-8000-000000000001'

export type WantedKey = {
  workspaceId: string
  world: WorldName
  name: string
  scopes: readonly string[]
}

/** Makes a key and returns it with its text, which is kept nowhere. */
export async function createApiKey(
  store: StoreContext,
  wanted: WantedKey,
): Promise<{ keyId: string; key: string }> {
  const key = makeApiKey(wanted.world)
  return { keyId: await keepApiKey(store, key, wanted), key }
}

/** Lets a key in from now on; only its keyed hash is stored. */
export async function keepApiKey(
  { db, vault }: StoreContext,
  key: string,
  { workspaceId, world, name, scopes }: WantedKey,
): Promise<string> {
  const id = newId()
  const hash = vault.fingerprint(key)
  await db
    .insertInto('api_keys')
    .values({ id, workspace_id: workspaceId, world, name, scopes: [...scopes], hash })
    .execute()
  return id
}

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
