import { z } from 'zod'
import { type Revoked, revokeKey, revokeKeyTree } from '#store/key-tree.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { keyParams, optionalTruth, SUCCESS } from '../http/shapes.ts'
import { keyRevoked } from './answers.ts'

const querystring = z.object({
  descendants: optionalTruth.describe(
    'Also revokes the keys that it created, and the keys that those created; works for a key that is ' +
      'already revoked.',
  ),
})

/** DELETE /keys/{key_id}: refused at once here, and within two seconds by other processes. */
export function deleteKeyRoute(app: Http, context: ApiContext): void {
  app.delete(
    `${API_PREFIX}/keys/:key_id`,
    {
      schema: {
        operationId: 'revokeKey',
        summary: 'Revokes a key, alone or with the keys it created',
        params: keyParams,
        querystring,
        response: { 200: keyRevoked },
        problems: ['key_not_found'],
      },
      ...needs(context, 'keys:delete'),
    },
    async (request) => {
      const { key_id } = request.params
      const revoke = request.query.descendants ? revokeKeyTree : revokeKey
      const revoked = await revoke(context.store, keyOf(request), key_id)
      if (!revoked) throw new Problem('key_not_found')
      context.forgetKeys()
      return {
        ...SUCCESS,
        message: sentenceOf(revoked),
        key_id,
        descendants_revoked: revoked.descendantsRevoked,
        descendants_left: revoked.descendantsLeft,
      }
    },
  )
}

function sentenceOf({ descendantsRevoked, descendantsLeft }: Revoked): string {
  if (descendantsLeft > 0)
    return `Key revoked. Keys that came of it and still work: ${descendantsLeft}. Add descendants=true to revoke them too.`
  if (descendantsRevoked > 0)
    return `Key revoked, and the keys that came of it: ${descendantsRevoked}.`
  return 'Key revoked.'
}
