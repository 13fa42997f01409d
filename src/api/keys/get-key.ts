import { readApiKey } from '#store/api-keys.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { keyParams, SUCCESS } from '../http/shapes.ts'
import { keyShown } from './answers.ts'
import { keyItem } from './key-views.ts'

/** GET /keys/{key_id}: one of those that GET /keys lists. */
export function getKeyRoute(app: Http, context: ApiContext): void {
  app.get(
    `${API_PREFIX}/keys/:key_id`,
    {
      schema: {
        operationId: 'getKey',
        summary: 'Shows a key that is not revoked, without its secret',
        params: keyParams,
        response: { 200: keyShown },
        problems: ['key_not_found'],
      },
      ...needs(context, 'keys:read'),
    },
    async (request) => {
      const row = await readApiKey(context.store, keyOf(request), request.params.key_id)
      if (!row) throw new Problem('key_not_found')
      return { ...SUCCESS, message: 'Key retrieved successfully', ...keyItem(row) }
    },
  )
}
