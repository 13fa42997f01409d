import { relatedRowsOf } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams } from '../http/shapes.ts'
import { domain } from './answers.ts'
import { details } from './domain-views.ts'
import { type KnownDomain, loadDomain } from './load-domain.ts'

/** GET /domains/{domain_id}: everything known about it. */
export function getDomainRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${API_PREFIX}/domains/:domain_id`,
    {
      schema: {
        operationId: 'getDomain',
        summary: 'Shows a domain with its records, conditions and delegation',
        params: domainParams,
        response: { 200: domain },
        problems: ['domain_not_found'],
      },
      ...needs(context, 'domains:read'),
    },
    async (request) =>
      domainDetails(await loadDomain(store, keyOf(request), request.params.domain_id), context),
  )
}

/** A domain with all that belongs to it. */
export async function domainDetails(known: KnownDomain, { store, now }: ApiContext) {
  return details({ ...known, ...(await relatedRowsOf(store, known.row.id)) }, now())
}
