/** Bulk requests, with the result of each of their rows. */
import type { Selectable } from 'kysely'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import { ownedBy, type Tenant } from './domains.ts'
import type { Tables } from './tables.ts'

export type BulkJobRow = Selectable<Tables['bulk_jobs']>

/** Writes a job, and returns its id. */
export async function insertJob(
  db: Queryable,
  { workspaceId, world }: Tenant,
  kind: BulkJobRow['kind'],
  results: readonly object[],
): Promise<string> {
  const id = newId()
  await db
    .insertInto('bulk_jobs')
    .values({
      id,
      workspace_id: workspaceId,
      world,
      kind,
      results: JSON.stringify(results) as never,
    })
    .execute()
  return id
}

export function findJob(
  { db }: StoreContext,
  tenant: Tenant,
  kind: BulkJobRow['kind'],
  id: string,
): Promise<BulkJobRow | undefined> {
  return db
    .selectFrom('bulk_jobs')
    .selectAll()
    .where('id', '=', id)
    .where('kind', '=', kind)
    .where((is) => is.and(ownedBy(tenant)))
    .executeTakeFirst()
}
