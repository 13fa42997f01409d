import { z } from 'zod'
import { toConditions } from '#store/conditions.ts'
import { conditionsOf, inboxCounts, listDomains } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { keyOf, needs } from '../http/route.ts'
import { cursor, optionalText, pagination, paging, SUCCESS } from '../http/shapes.ts'
import { domainList } from './answers.ts'
import { listItem } from './domain-views.ts'

const querystring = z.object({
  ...paging,
  cursor,
  status: optionalText.describe('Only domains with this status.'),
  search: optionalText.describe('Only domains whose name contains this.'),
})

/** GET /domains: newest first. An unknown status matches nothing. */
export function listDomainsRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${API_PREFIX}/domains`,
    {
      schema: {
        operationId: 'listDomains',
        summary: 'Lists domains, the newest first',
        querystring,
        response: { 200: domainList },
      },
      ...needs(context, 'domains:read'),
    },
    async (request) => {
      const { page, limit, status, search, cursor: after } = request.query
      const filter = { page, limit, status, search, after }
      const { rows, hasMore, total, isEstimate } = await listDomains(store, keyOf(request), filter)
      const ids = rows.map(({ id }) => id)
      const [conditions, inboxes] = await Promise.all([
        conditionsOf(store, ids),
        inboxCounts(store, ids),
      ])
      return {
        domains: rows.map((row) =>
          listItem(row, toConditions(conditions.get(row.id) ?? [], row), inboxes.get(row.id) ?? 0),
        ),
        pagination: {
          ...pagination({ page, limit }, total),
          has_next: hasMore,
          has_prev: page > 1 ? total > 0 : after !== undefined,
          next_cursor: hasMore ? rows.at(-1)!.id : null,
          total_is_estimate: isEstimate,
        },
        ...SUCCESS,
        message: 'Domains retrieved successfully',
      }
    },
  )
}
