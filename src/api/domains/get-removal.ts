import type { DomainRow } from '#store/domains.ts'
import { findRemoval, placementsOf } from '#store/remove-domain.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams } from '../http/shapes.ts'
import { removalAnswer } from './answers.ts'

type Placement = Awaited<ReturnType<typeof placementsOf>>[number]

/** Done, but for what had to be given up. */
function stateOf({ removed_at, torn_down_at }: DomainRow, steps: readonly Placement[]) {
  if (!removed_at) return torn_down_at ? 'tombstone' : 'removing'
  return steps.some(({ abandoned_at }) => abandoned_at) ? 'abandoned' : 'done'
}

function stepView({ stage, driver, removed_at, abandoned_at, trouble }: Placement) {
  const step = { what: stage, provider: driver }
  if (abandoned_at)
    return { ...step, state: 'abandoned', message: 'Given up: something may still stand there.' }
  return removed_at
    ? { ...step, state: 'removed', message: '' }
    : { ...step, state: 'waiting', message: trouble ?? '' }
}

/** GET /domains/{domain_id}/removal: how far the clean-up behind a DELETE has come. */
export function getRemovalRoute(app: Http, context: ApiContext): void {
  app.get(
    `${API_PREFIX}/domains/:domain_id/removal`,
    {
      schema: {
        operationId: 'getRemoval',
        summary: 'Tells how far the clean-up behind a removal is',
        params: domainParams,
        answers: { 200: removalAnswer },
        problems: ['removal_not_found'],
      },
      ...needs(context, 'domains:read'),
    },
    async (request) => {
      const row = await findRemoval(context.store, keyOf(request), request.params.domain_id)
      if (!row) throw new Problem('removal_not_found')
      const steps = await placementsOf(context.store, row.id)
      return {
        domain_id: row.id,
        domain_name: row.name,
        state: stateOf(row, steps),
        steps: steps.map(stepView),
        started_at: row.removal_requested_at!.toISOString(),
        finished_at: row.removed_at?.toISOString() ?? null,
      }
    },
  )
}
