import { inboxCounts, nameserversOf, recordsOf } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../context.ts'
import { details } from '../domain-views.ts'
import type { Http } from '../http.ts'
import { loadDomain } from '../load-domain.ts'
import { keyOf, needs } from '../route.ts'
import { domainParams } from '../shapes.ts'

/** GET /domains/{domain_id}: everything we know of it. */
export function getDomainRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${API_PREFIX}/domains/:domain_id`,
    { schema: { params: domainParams }, ...needs(context, 'domains:read') },
    async (request) => {
      const { domain_id } = request.params
      const known = await loadDomain(store, keyOf(request), domain_id)
      const [inboxes, nameservers, records] = await Promise.all([
        inboxCounts(store, [domain_id]),
        nameserversOf(store, domain_id),
        recordsOf(store, domain_id),
      ])
      return details(
        { ...known, nameservers, records, inboxes: inboxes.get(domain_id) ?? 0 },
        context.now(),
      )
    },
  )
}
