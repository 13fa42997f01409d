import { hasBeenLookedAt, requestLook } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams } from '../http/shapes.ts'
import { waitForDomain } from '../http/wait.ts'
import { domain } from './answers.ts'
import { domainDetails } from './get-domain.ts'
import { loadDomain } from './load-domain.ts'

/** POST /domains/{domain_id}/check: looks again now, and answers with the result. Changes nothing itself. */
export function checkDomainRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/domains/:domain_id/check`,
    {
      schema: {
        operationId: 'checkDomain',
        summary: 'Looks at the domain now',
        params: domainParams,
        response: { 200: domain },
        problems: ['domain_not_found'],
      },
      ...needs(context, 'domains:read'),
    },
    async (request) => {
      const known = await loadDomain(store, keyOf(request), request.params.domain_id)
      const { id } = known.row
      const askedAtEpoch = await requestLook(store, id)
      const seen = await waitForDomain(store, {
        domainId: id,
        known,
        look: () => loadDomain(store, keyOf(request), id),
        done: ({ row }) => hasBeenLookedAt(row, askedAtEpoch),
        limitMs: context.waitMs,
      })
      return domainDetails(seen, context)
    },
  )
}
