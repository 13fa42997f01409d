import { readApiKey } from '#store/api-keys.ts'
import { API_PREFIX, type ApiContext } from '../context.ts'
import type { Http } from '../http.ts'
import { keyItem } from '../key-views.ts'
import { keyShown } from '../openapi/key-answers.ts'
import { Problem } from '../problems.ts'
import { keyOf, needs } from '../route.ts'
import { keyParams } from '../shapes.ts'

/** GET /keys/{key_id}: one of those that GET /keys lists. */
export function getKeyRoute(app: Http, context: ApiContext): void {
  app.get(
    `${API_PREFIX}/keys/:key_id`,
    {
      schema: {
        operationId: 'getKey',
        summary: 'Shows a key that is not revoked, without the key itself',
        params: keyParams,
        answers: { 200: keyShown },
        problems: ['key_not_found'],
      },
      ...needs(context, 'keys:read'),
    },
    async (request) => {
      const row = await readApiKey(context.store, keyOf(request), request.params.key_id)
      if (!row) throw new Problem('key_not_found')
      return { success: true, message: 'Key retrieved successfully', ...keyItem(row) }
    },
  )
}
