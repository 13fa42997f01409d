/** Who asks: the key, its workspace and world, and what it may do. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { worldOfKey } from '#names/api-key.ts'
import type { ApiKey } from '#store/api-keys.ts'
import { Problem, type ProblemCode } from './problems.ts'

export type Scope =
  `${'domains' | 'sender_accounts' | 'replies' | 'campaigns'}:${'create' | 'read' | 'update' | 'delete'}`

export type KeyCheck = {
  find(key: string): Promise<ApiKey | undefined>
  /** The key given in the settings, if any; it need not be in the database. */
  bootstrap: { key: string; as: ApiKey } | undefined
  /** Why a world takes no requests here, if so. */
  closed(
    world: ApiKey['world'],
  ): { code: ProblemCode; fields?: Record<string, unknown> } | undefined
}

/** How long a looked-up key is believed. A revoked key works at most this much longer. */
const BELIEVED_MS = 2000
const KEYS_REMEMBERED = 10_000

/** A check that remembers keys for two seconds: the look-up is half the work of a small request. */
export function keyChecker({ find, bootstrap, closed }: KeyCheck) {
  const remembered = new Map<string, { found: Promise<ApiKey | undefined>; until: number }>()

  async function lookUp(key: string): Promise<ApiKey | undefined> {
    if (bootstrap && isSameText(key, bootstrap.key)) return bootstrap.as
    if (worldOfKey(key) === undefined) return undefined
    const known = remembered.get(key)
    if (known && known.until > performance.now()) return known.found
    if (remembered.size >= KEYS_REMEMBERED) remembered.clear()
    const found = find(key)
    remembered.set(key, { found, until: performance.now() + BELIEVED_MS })
    found.catch(() => remembered.delete(key))
    return found
  }

  return async (request: FastifyRequest, scope: Scope | undefined): Promise<ApiKey> => {
    const written = keyOf(request)
    if (written === undefined) throw new Problem('api_key_required')
    const key = await lookUp(written)
    if (key === undefined) throw new Problem('api_key_invalid')
    const why = closed(key.world)
    if (why) throw new Problem(why.code, why.fields)
    if (scope && !allows(key.scopes, scope)) {
      throw new Problem('insufficient_scopes', {
        detail: `Missing required scopes: ${scope}`,
        required: [scope],
        granted: key.scopes,
      })
    }
    return key
  }
}

/** Takes as long whatever the difference is. */
function isSameText(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest())
  return timingSafeEqual(left!, right!)
}

function keyOf({ headers }: FastifyRequest): string | undefined {
  const own = headers['x-api-key']
  if (typeof own === 'string' && own !== '') return own
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
}

/** `*` allows everything, `domains:all` everything with domains. */
export function allows(granted: readonly string[], scope: Scope): boolean {
  const [resource] = scope.split(':')
  return granted.some((each) => each === '*' || each === scope || each === `${resource}:all`)
}
