/** Limits requests per minute and hour for each key and workspace, over all processes. */
import type { FastifyRequest } from 'fastify'
import { countRequest, isLimited, type RequestWindow } from '#store/request-counts.ts'
import type { ApiContext } from './context.ts'
import type { Http } from './http.ts'
import { Problem } from './problems.ts'
import { isOfAnyApi } from './route.ts'

/**
 * Counts every request with a valid key to the public API and the sandbox's, whatever its result, and reports
 * how many are left. Counts before anything else is checked.
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

/** The tighter window first: the one with less left, or if equal the longer one. */
function byTightness(a: RequestWindow, b: RequestWindow): number {
  return a.remaining - b.remaining || b.resetAt - a.resetAt
}
