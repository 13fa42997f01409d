import { requestRemoval } from '../../store/domains.ts'
import { API_PREFIX, type ApiContext } from '../context.ts'
import type { Http } from '../http.ts'
import { loadDomain } from '../load-domain.ts'
import { Problem } from '../problems.ts'
import { keyOf, needs } from '../route.ts'
import { domainParams } from '../shapes.ts'

/** DELETE /domains/{domain_id}: out of every list at once, torn down behind the answer. */
export function deleteDomainRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.delete(
    `${API_PREFIX}/domains/:domain_id`,
    { schema: { params: domainParams }, ...needs(context, 'domains:delete') },
    async (request) => {
      const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
      const result = await requestRemoval(store, row)
      if (result === 'gone') throw new Problem('domain_not_found')
      if (result !== 'requested') throw new Problem('domain_in_use', { blockers: result.blockers })
      return {
        success: true,
        message: 'Domain deleted.',
        domain_id: row.id,
        domain_name: row.name,
        deleted: true,
      }
    },
  )
}
