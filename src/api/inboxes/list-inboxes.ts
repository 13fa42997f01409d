import { z } from 'zod'
import { listInboxes } from '#store/inboxes.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { keyOf, needs } from '../http/route.ts'
import { id, optionalText, pagination, paging, SUCCESS } from '../http/shapes.ts'
import { inboxList } from './answers.ts'
import { inboxItem } from './inbox-views.ts'

const querystring = z.object({
  ...paging,
  domain_id: id.optional().describe('Only inboxes of this domain.'),
  status: optionalText.describe('Only inboxes with this `overall_status`.'),
  inbox_type: optionalText.describe('Only inboxes of this type.'),
  search: optionalText.describe('Only inboxes whose address contains this.'),
})

/** GET /sender-accounts: newest first. */
export function listInboxesRoute(app: Http, context: ApiContext): void {
  app.get(
    `${API_PREFIX}/sender-accounts`,
    {
      schema: {
        operationId: 'listInboxes',
        summary: 'Lists inboxes, the newest first',
        querystring,
        response: { 200: inboxList },
      },
      ...needs(context, 'sender_accounts:read'),
    },
    async (request) => {
      const { page, limit, domain_id, status, inbox_type, search } = request.query
      const filter = { page, limit, status, search, domainId: domain_id, inboxType: inbox_type }
      const { rows, total } = await listInboxes(context.store, keyOf(request), filter)
      return {
        ...SUCCESS,
        message: 'Sender accounts retrieved successfully',
        sender_accounts: rows.map((row) => inboxItem(row)),
        pagination: pagination({ page, limit }, total),
      }
    },
  )
}
