/** Workspaces: whose things are kept apart. */
import { sql } from 'kysely'
import { newId } from '../ids.ts'
import { type ApiKey, createApiKey, FIRST_WORKSPACE } from './api-keys.ts'
import type { StoreContext } from './context.ts'

export type WorkspaceRow = { id: string; name: string; created_at: Date }

/** Whether a key is the installation's own: one of the first workspace, with all scopes. */
export const isOfInstallation = ({ workspaceId, scopes }: ApiKey): boolean =>
  workspaceId === FIRST_WORKSPACE && scopes.includes('*')

/** Makes a workspace with a first key, which may do everything in it, and in one world. */
export function createWorkspace(
  store: StoreContext,
  name: string,
  world: ApiKey['world'],
): Promise<{ workspace: WorkspaceRow; keyId: string; key: string }> {
  return store.db.transaction().execute(async (tx) => {
    const workspace = await tx
      .insertInto('workspaces')
      .values({ id: newId(), name })
      .returningAll()
      .executeTakeFirstOrThrow()
    const wanted = { workspaceId: workspace.id, world, name: 'first key', scopes: ['*'] }
    const { keyId, key } = await createApiKey({ ...store, db: tx }, wanted)
    return { workspace, keyId, key }
  })
}

export async function hasWorkspace({ db }: StoreContext, id: string): Promise<boolean> {
  const found = await db
    .selectFrom('workspaces')
    .select('id')
    .where('id', '=', id)
    .executeTakeFirst()
  return found !== undefined
}

/** All of them, newest first. */
export async function listWorkspaces(
  { db }: StoreContext,
  { page, limit }: { page: number; limit: number },
): Promise<{ rows: WorkspaceRow[]; total: number }> {
  const [rows, { total }] = await Promise.all([
    db
      .selectFrom('workspaces')
      .selectAll()
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit)
      .offset((page - 1) * limit)
      .execute(),
    db
      .selectFrom('workspaces')
      .select(sql<number>`count(*)::int`.as('total'))
      .executeTakeFirstOrThrow(),
  ])
  return { rows, total }
}
