import type { Conditions } from '#domains/lifecycle.ts'
import type { ApiKey } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import { toConditions } from '#store/domain-passes.ts'
import { conditionsOf, type DomainRow, findDomain } from '#store/domains.ts'
import { Problem } from './problems.ts'

export type KnownDomain = { row: DomainRow; conditions: Conditions }

/** The caller's domain; another tenant's id and an unknown one answer alike. */
export async function loadDomain(
  store: StoreContext,
  key: ApiKey,
  id: string,
): Promise<KnownDomain> {
  const row = await findDomain(store, key, id)
  if (!row) throw new Problem('domain_not_found')
  const conditions = await conditionsOf(store, [id])
  return { row, conditions: toConditions(conditions.get(id) ?? [], row) }
}
