import type { Conditions } from '#domains/lifecycle.ts'
import type { ApiKey } from '#store/api-keys.ts'
import { toConditions } from '#store/conditions.ts'
import type { StoreContext } from '#store/context.ts'
import { type DomainRow, findWithConditions } from '#store/domains.ts'
import type { InboxRow } from '#store/inboxes.ts'
import { Problem } from '../http/problems.ts'

export type KnownDomain = { row: DomainRow; conditions: Conditions }

/** The caller's domain; a foreign id and an unknown one get the same answer. */
export async function loadDomain(
  store: StoreContext,
  key: ApiKey,
  id: string,
): Promise<KnownDomain> {
  const found = await findWithConditions(store, key, id)
  if (!found) throw new Problem('domain_not_found')
  return { row: found.row, conditions: toConditions(found.conditions, found.row) }
}

/** The domain of an inbox; inboxes at other providers have none. */
export function loadDomainOf(
  store: StoreContext,
  key: ApiKey,
  { domain_id }: InboxRow,
): Promise<KnownDomain> {
  if (domain_id === null) throw new Problem('inbox_is_elsewhere')
  return loadDomain(store, key, domain_id)
}
