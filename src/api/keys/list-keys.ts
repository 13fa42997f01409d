import { z } from 'zod'
import { listApiKeys } from '#store/api-keys.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { keyOf, needs } from '../http/route.ts'
import { pagination, paging, SUCCESS } from '../http/shapes.ts'
import { keyList } from './answers.ts'
import { keyItem } from './key-views.ts'

const querystring = z.object(paging)

/** GET /keys: newest first, without those that were revoked. */
export function listKeysRoute(app: Http, context: ApiContext): void {
  app.get(
    `${API_PREFIX}/keys`,
    {
      schema: {
        operationId: 'listKeys',
        summary: 'Lists the keys that are not revoked, the newest first',
        querystring,
        response: { 200: keyList },
      },
      ...needs(context, 'keys:read'),
    },
    async (request) => {
      const { rows, total } = await listApiKeys(context.store, keyOf(request), request.query)
      return {
        ...SUCCESS,
        message: 'Keys retrieved successfully',
        keys: rows.map(keyItem),
        pagination: pagination(request.query, total),
      }
    },
  )
}
