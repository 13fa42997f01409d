import { revokeApiKey } from '#store/api-keys.ts'
import { API_PREFIX, type ApiContext } from '../context.ts'
import type { Http } from '../http.ts'
import { keyRevoked } from '../openapi/key-answers.ts'
import { Problem } from '../problems.ts'
import { keyOf, needs } from '../route.ts'
import { keyParams } from '../shapes.ts'

/** DELETE /keys/{key_id}: refused from now on here, and within two seconds by other processes. */
export function deleteKeyRoute(app: Http, context: ApiContext): void {
  app.delete(
    `${API_PREFIX}/keys/:key_id`,
    {
      schema: {
        operationId: 'revokeKey',
        summary: 'Revokes a key',
        params: keyParams,
        answers: { 200: keyRevoked },
        problems: ['key_not_found'],
      },
      ...needs(context, 'keys:delete'),
    },
    async (request) => {
      const { key_id } = request.params
      const isRevoked = await revokeApiKey(context.store, keyOf(request), key_id)
      if (!isRevoked) throw new Problem('key_not_found')
      context.forgetKeys()
      return { success: true, message: 'Key revoked.', key_id }
    },
  )
}
