import type { FastifyRequest } from 'fastify'
import type { ApiKey } from '#store/api-keys.ts'
import type { Scope } from './auth.ts'
import type { ApiContext } from './context.ts'

const keys = new WeakMap<FastifyRequest, ApiKey>()

/** Checks the key before anything of the request is read or judged. */
export function needs({ authorize }: ApiContext, scope?: Scope) {
  return {
    onRequest: async (request: FastifyRequest): Promise<void> => {
      keys.set(request, await authorize(request, scope))
    },
  }
}

/** The key that `needs` let in. */
export function keyOf(request: object): ApiKey {
  const key = keys.get(request as FastifyRequest)
  if (!key) throw new Error('a route without `needs` asked for its key')
  return key
}
