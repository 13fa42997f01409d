import { askAbout, hasBeenLookedAt } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../context.ts'
import type { Http } from '../http.ts'
import { type KnownDomain, loadDomain } from '../load-domain.ts'
import { domain } from '../openapi/answers.ts'
import { keyOf, needs } from '../route.ts'
import { domainParams } from '../shapes.ts'
import { waitForDomain } from '../wait.ts'
import { everythingOf } from './get-domain.ts'

/** POST /domains/{domain_id}/check: looks again now, and answers what is known then. Changes nothing by itself. */
export function checkDomainRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/domains/:domain_id/check`,
    {
      schema: {
        operationId: 'checkDomain',
        summary: 'Looks at a domain again now',
        params: domainParams,
        answers: { 200: domain },
        problems: ['domain_not_found'],
      },
      ...needs(context, 'domains:read'),
    },
    async (request) => {
      const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
      const askedAtEpoch = await askAbout(store, row.id)
      const known = await waitForDomain(
        store,
        row.id,
        () => loadDomain(store, keyOf(request), row.id),
        (seen: KnownDomain) => hasBeenLookedAt(seen.row, askedAtEpoch),
        context.waitMs,
      )
      return everythingOf(known, context)
    },
  )
}
