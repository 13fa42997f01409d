import type { FastifyRequest } from 'fastify'
import type { ApiKey } from '#store/api-keys.ts'
import { API_PREFIX, type ApiContext } from './context.ts'
import type { Scope } from './scopes.ts'

const keys = new WeakMap<FastifyRequest, ApiKey>()

/** Checks the key before anything else of the request. */
export function needs({ authorize }: ApiContext, scope?: Scope) {
  return {
    config: { scope },
    onRequest: async (request: FastifyRequest): Promise<void> => {
      keys.set(request, await authorize(request, scope))
    },
  }
}

/** The key that `needs` let in. */
export function keyOf(request: object): ApiKey {
  const key = knownKeyOf(request as FastifyRequest)
  if (!key) throw new Error('a route without `needs` asked for its key')
  return key
}

/** The same, where the route may need no key. */
export const knownKeyOf = (request: FastifyRequest): ApiKey | undefined => keys.get(request)

/** The public one, and the sandbox's. */
const ALL_APIS = '/api'

/** By the route, as a path can be written in several ways; by the path without a route. */
function isBelow(prefix: string, { routeOptions, url }: FastifyRequest): boolean {
  const path = routeOptions.url ?? url
  return path.startsWith(`${prefix}/`)
}

export const isOfPublicApi = (request: FastifyRequest): boolean => isBelow(API_PREFIX, request)
export const isOfAnyApi = (request: FastifyRequest): boolean => isBelow(ALL_APIS, request)
