import type { FastifyRequest } from 'fastify'
import type { ApiKey } from '#store/api-keys.ts'
import { API_PREFIX, type ApiContext } from './context.ts'
import type { Scope } from './scopes.ts'

const keys = new WeakMap<FastifyRequest, ApiKey>()

/** The options of a route that authorizes the key before it reads anything else. */
export function needs({ authorize }: ApiContext, scope?: Scope) {
  return {
    config: { scope },
    onRequest: async (request: FastifyRequest): Promise<void> => {
      keys.set(request, await authorize(request, scope))
    },
  }
}

/** The key that `needs` authorized. */
export function keyOf(request: object): ApiKey {
  const key = knownKeyOf(request as FastifyRequest)
  if (!key) throw new Error('a route without `needs` asked for its key')
  return key
}

/** As `keyOf`, for routes that may need no key. */
export const knownKeyOf = (request: FastifyRequest): ApiKey | undefined => keys.get(request)

/** The public API, and the sandbox's. */
const ALL_APIS = '/api'

/** Compares the route, because a path can be spelled in several ways; without a route, the path. */
function isBelow(prefix: string, { routeOptions, url }: FastifyRequest): boolean {
  const path = routeOptions.url ?? url
  return path.startsWith(`${prefix}/`)
}

export const isOfPublicApi = (request: FastifyRequest): boolean => isBelow(API_PREFIX, request)
export const isOfAnyApi = (request: FastifyRequest): boolean => isBelow(ALL_APIS, request)
