/** The caller: the key, its workspace and world, and its scopes. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { worldOfKey } from '#names/api-key.ts'
import type { ApiKey } from '#store/api-keys.ts'
import { Problem, type ProblemCode } from './problems.ts'
import type { Scope } from './scopes.ts'

export type KeyCheck = {
  find(key: string): Promise<ApiKey | undefined>
  /** The key given in the settings, if any; it need not be in the database. */
  bootstrap: { key: string; as: ApiKey } | undefined
  /** Called at every use of a key. */
  used(key: ApiKey): void
  /** Why a world accepts no requests here, if so. */
  closed(
    world: ApiKey['world'],
  ): { code: ProblemCode; fields?: Record<string, unknown> } | undefined
}

/** How long a looked-up key is cached. A revoked key works at most this much longer. */
const BELIEVED_MS = 2000
const KEYS_REMEMBERED = 10_000

export type Keys = {
  /** The key for a scope; throws 401, 403 or 503. */
  authorize(request: FastifyRequest, scope: Scope | undefined): Promise<ApiKey>
  /** The key, whatever its scopes; undefined without a valid one. */
  identify(request: FastifyRequest): Promise<ApiKey | undefined>
  /** Clears the cache, after a revocation. */
  forget(): void
}

/** A check that caches keys for two seconds: the look-up is half the work of a small request. */
export function keyChecker({ find, bootstrap, used, closed }: KeyCheck): Keys {
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

  async function identify(request: FastifyRequest): Promise<ApiKey | undefined> {
    const written = keyOf(request)
    const key = written === undefined ? undefined : await lookUp(written)
    if (key) used(key)
    return key
  }

  async function authorize(request: FastifyRequest, scope: Scope | undefined): Promise<ApiKey> {
    if (keyOf(request) === undefined) throw new Problem('api_key_required')
    const key = await identify(request)
    if (key === undefined) throw new Problem('api_key_invalid')
    const why = closed(key.world)
    if (why) throw new Problem(why.code, why.fields)
    if (scope && !allows(key.scopes, scope)) throw insufficientScopes([scope], key)
    return key
  }

  return { authorize, identify, forget: () => remembered.clear() }
}

/** The problem of a key without these scopes. */
export function insufficientScopes(required: readonly string[], { scopes }: ApiKey): Problem {
  const detail = `Missing required scopes: ${required.join(', ')}`
  return new Problem('insufficient_scopes', { detail, required, granted: scopes })
}

/** Compares in constant time. */
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
export function allows(granted: readonly string[], scope: string): boolean {
  const [resource] = scope.split(':')
  return granted.some((each) => each === '*' || each === scope || each === `${resource}:all`)
}
