import { findRedirect } from '#store/redirects.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams } from '../http/shapes.ts'
import { redirectAnswer } from './answers.ts'
import { loadDomain } from './load-domain.ts'
import { redirectView } from './redirect-view.ts'

/** GET /domains/{domain_id}/redirect. */
export function getRedirectRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${API_PREFIX}/domains/:domain_id/redirect`,
    {
      schema: {
        operationId: 'getRedirect',
        summary: 'Shows the redirect of a domain',
        params: domainParams,
        response: { 200: redirectAnswer },
        problems: ['domain_not_found', 'redirect_not_found'],
      },
      ...needs(context, 'domains:read'),
    },
    async (request) => {
      const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
      const redirect = await findRedirect(store, row)
      if (!redirect) throw new Problem('redirect_not_found')
      return redirectView(row, redirect)
    },
  )
}
