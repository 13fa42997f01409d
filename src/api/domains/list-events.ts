import { z } from 'zod'
import { listEvents } from '#store/events.ts'
import { timeline } from '../events/answers.ts'
import { eventView } from '../events/event-view.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { keyOf, needs } from '../http/route.ts'
import { cursor, domainParams, limitOf, SUCCESS } from '../http/shapes.ts'
import { loadDomain } from './load-domain.ts'

const querystring = z.object({ limit: limitOf(50), cursor })

/** GET /domains/{domain_id}/events: the timeline, newest first. */
export function listEventsRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${API_PREFIX}/domains/:domain_id/events`,
    {
      schema: {
        operationId: 'listEvents',
        summary: 'Lists the events of a domain, the latest first',
        params: domainParams,
        querystring,
        response: { 200: timeline },
        problems: ['domain_not_found'],
      },
      ...needs(context, 'domains:read'),
    },
    async (request) => {
      const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
      const { limit, cursor: before } = request.query
      const rows = await listEvents(store, row.id, { limit, before })
      return {
        ...SUCCESS,
        message: 'Events retrieved successfully',
        events: rows.map(eventView),
        next_cursor: rows.length === limit ? (rows.at(-1)?.id ?? null) : null,
      }
    },
  )
}
