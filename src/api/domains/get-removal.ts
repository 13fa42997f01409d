import { removalState, removalStep } from '#domains/removal-plan.ts'
import { findRemoval, placementsOf } from '#store/remove-domain.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams } from '../http/shapes.ts'
import { removalAnswer } from './answers.ts'

/** GET /domains/{domain_id}/removal: the progress of the clean-up after a DELETE. */
export function getRemovalRoute(app: Http, context: ApiContext): void {
  app.get(
    `${API_PREFIX}/domains/:domain_id/removal`,
    {
      schema: {
        operationId: 'getRemoval',
        summary: 'Shows the progress of a removal',
        params: domainParams,
        response: { 200: removalAnswer },
        problems: ['removal_not_found'],
      },
      ...needs(context, 'domains:read'),
    },
    async (request) => {
      const row = await findRemoval(context.store, keyOf(request), request.params.domain_id)
      if (!row) throw new Problem('removal_not_found')
      const placements = await placementsOf(context.store, row.id)
      return {
        domain_id: row.id,
        domain_name: row.name,
        state: removalState(
          { tornDownAt: row.torn_down_at, removedAt: row.removed_at },
          placements,
        ),
        steps: placements.map(removalStep),
        started_at: row.removal_requested_at!.toISOString(),
        finished_at: row.removed_at?.toISOString() ?? null,
      }
    },
  )
}
