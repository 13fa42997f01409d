import { API_PREFIX, type ApiContext } from '../context.ts'
import { progress } from '../domain-views.ts'
import type { Http } from '../http.ts'
import { loadDomain } from '../load-domain.ts'
import { keyOf, needs } from '../route.ts'
import { domainParams } from '../shapes.ts'

/** GET /domains/{domain_id}/progress: for someone who waits. */
export function getProgressRoute(app: Http, context: ApiContext): void {
  app.get(
    `${API_PREFIX}/domains/:domain_id/progress`,
    { schema: { params: domainParams }, ...needs(context, 'domains:read') },
    async (request) => {
      const { row, conditions } = await loadDomain(
        context.store,
        keyOf(request),
        request.params.domain_id,
      )
      return progress(row, conditions)
    },
  )
}
