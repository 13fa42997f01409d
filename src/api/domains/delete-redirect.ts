import { removeRedirect } from '#store/redirects.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams, SUCCESS } from '../http/shapes.ts'
import { done } from '../openapi/parts.ts'
import { loadDomain } from './load-domain.ts'

/** DELETE /domains/{domain_id}/redirect: ends it at once; the worker removes its records. */
export function deleteRedirectRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.delete(
    `${API_PREFIX}/domains/:domain_id/redirect`,
    {
      schema: {
        operationId: 'deleteRedirect',
        summary: 'Removes the redirect of a domain',
        params: domainParams,
        response: { 200: done },
        problems: ['domain_not_found', 'redirect_not_found'],
      },
      ...needs(context, 'domains:update'),
    },
    async (request) => {
      const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
      if (!(await removeRedirect(store, row))) throw new Problem('redirect_not_found')
      return { ...SUCCESS, message: 'Redirect deleted.' }
    },
  )
}
