import { z } from 'zod'
import { toConditions } from '#store/domain-passes.ts'
import { conditionsOf, inboxCounts, listDomains } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../context.ts'
import { listItem } from '../domain-views.ts'
import type { Http } from '../http.ts'
import { keyOf, needs } from '../route.ts'
import { optionalText, pagination, paging } from '../shapes.ts'

const querystring = z.object({ ...paging, status: optionalText, search: optionalText })

/** GET /domains: newest first. An unknown status matches nothing. */
export function listDomainsRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${API_PREFIX}/domains`,
    { schema: { querystring }, ...needs(context, 'domains:read') },
    async (request) => {
      const { page, limit, status, search } = request.query
      const { rows, total } = await listDomains(store, keyOf(request), {
        page,
        limit,
        status,
        search,
      })
      const ids = rows.map(({ id }) => id)
      const [conditions, inboxes] = await Promise.all([
        conditionsOf(store, ids),
        inboxCounts(store, ids),
      ])
      return {
        domains: rows.map((row) =>
          listItem(row, toConditions(conditions.get(row.id) ?? []), inboxes.get(row.id) ?? 0),
        ),
        pagination: pagination({ page, limit }, total),
        success: true,
        message: 'Domains retrieved successfully',
      }
    },
  )
}
