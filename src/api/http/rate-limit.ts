/** So many requests a minute and an hour for each key and each workspace, all processes together. */
import type { FastifyRequest } from 'fastify'
import { countRequest, isLimited, type RequestWindow } from '#store/request-counts.ts'
import type { ApiContext } from './context.ts'
import type { Http } from './http.ts'
import { Problem } from './problems.ts'
import { isOfAnyApi } from './route.ts'

/**
 * Counts every request to the public API, and to the sandbox's, that has a valid key, whatever becomes of it,
 * and tells how many more there may be. Counted before anything else of the request is judged.
 */
export function limitRequests(app: Http, { store, identify, rates }: ApiContext): void {
  if (!isLimited(rates.key) && !isLimited(rates.workspace)) return
  app.addHook('onRequest', async (request: FastifyRequest, reply) => {
    const key = isOfAnyApi(request) ? await identify(request) : undefined
    if (!key) return
    const { letIn, windows } = await countRequest(store, key, rates)
    const { limit, remaining, resetAt, endsInS } = windows.toSorted(byTightness)[0]!
    reply.headers({
      'x-ratelimit-limit': limit,
      'x-ratelimit-remaining': remaining,
      'x-ratelimit-reset': resetAt,
    })
    if (letIn) return
    const detail = `Rate limit exceeded. Retry after ${endsInS} seconds.`
    throw new Problem('rate_limited', { detail }, endsInS)
  })
}

/** The tighter window first: the one with less left, and of two alike the one that lasts longer. */
function byTightness(a: RequestWindow, b: RequestWindow): number {
  return a.remaining - b.remaining || b.resetAt - a.resetAt
}
