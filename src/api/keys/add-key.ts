import { z } from 'zod'
import type { ApiKey } from '#store/api-keys.ts'
import { makeKey } from '#store/key-tree.ts'
import { allows, insufficientScopes } from '../http/auth.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { scopes } from '../http/scopes.ts'
import { futureTime, headerText, readFutureTime, SUCCESS } from '../http/shapes.ts'
import { keyMade } from './answers.ts'

const body = z.object({
  name: headerText
    .min(1)
    .max(255)
    .describe('A name for you to recognise the key by.')
    .meta({ examples: ['Reads domains'] }),
  scopes: scopes.describe(
    'Its scopes: `resource:action`, `resource:all`, or `*`; no more than the calling key has.',
  ),
  expires_at: futureTime.describe(
    'When it expires: a time in the future, in ISO 8601 with its zone; `null` for never. A key expires no ' +
      'later than the key that creates it.',
  ),
})

/** POST /keys: a key for the same workspace and world, with no more scopes than the caller's. */
export function addKeyRoute(app: Http, context: ApiContext): void {
  app.post(
    `${API_PREFIX}/keys`,
    {
      schema: {
        operationId: 'addKey',
        summary: 'Creates a key, and shows it once',
        body,
        response: { 201: keyMade },
        problems: ['too_many_keys'],
      },
      ...needs(context, 'keys:create'),
    },
    async (request, reply) => {
      const caller = keyOf(request)
      const { name } = request.body
      const granted = heldBy(caller, request.body.scopes)
      const wished = readFutureTime(request.body.expires_at, context.now())
      const wanted = { name, scopes: granted, expiresAt: wished }
      const made = await makeKey(context.store, caller, wanted, context.maxKeys)
      if (made.is === 'maker_ended') throw new Problem('api_key_invalid')
      if (made.is === 'too_many') throw new Problem('too_many_keys', { max_keys: context.maxKeys })
      const { keyId, key, createdAt, expiresAt } = made
      const isCut = expiresAt?.getTime() !== wished?.getTime()
      return reply.status(201).send({
        ...SUCCESS,
        message: `Key made. It is shown this once.${isCut ? ' It ends with the key that made it.' : ''}`,
        key_id: keyId,
        key,
        name,
        scopes: granted,
        expires_at: expiresAt?.toISOString() ?? null,
        created_at: createdAt.toISOString(),
      })
    },
  )
}

function heldBy(caller: ApiKey, asked: readonly string[]): readonly string[] {
  const missing = asked.filter((scope) => !allows(caller.scopes, scope))
  if (missing.length > 0) throw insufficientScopes(missing, caller)
  return [...new Set(asked)]
}
