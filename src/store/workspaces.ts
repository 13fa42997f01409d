/** Workspaces as rows. */
import { sql } from 'kysely'
import { newId } from '../ids.ts'
import { type ApiKey, createApiKey } from './api-keys.ts'
import type { StoreContext } from './context.ts'
import { expiryOf, lockKeyTree } from './key-tree.ts'

export type WorkspaceRow = { id: string; name: string; created_at: Date }

export type MadeWorkspace = {
  workspace: WorkspaceRow
  keyId: string
  key: string
  expiresAt: Date | undefined
}

/**
 * Creates a workspace with a first key, which has all scopes in its creator's world and ends with its
 * creator. Undefined if the creator has ended.
 */
export function createWorkspace(
  store: StoreContext,
  maker: ApiKey,
  name: string,
): Promise<MadeWorkspace | undefined> {
  return store.db.transaction().execute(async (tx) => {
    await lockKeyTree(tx)
    const end = await expiryOf(tx, maker)
    if (end === 'ended') return undefined
    const workspace = await tx
      .insertInto('workspaces')
      .values({ id: newId(), name })
      .returningAll()
      .executeTakeFirstOrThrow()
    const { keyId, key } = await createApiKey(
      { ...store, db: tx },
      {
        workspaceId: workspace.id,
        world: maker.world,
        name: 'first key',
        scopes: ['*'],
        expiresAt: end,
        createdByKeyId: maker.keyId,
      },
    )
    return { workspace, keyId, key, expiresAt: end }
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
