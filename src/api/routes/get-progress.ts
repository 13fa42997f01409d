import { API_PREFIX, type ApiContext } from '../context.ts'
import { progress } from '../domain-views.ts'
import type { Http } from '../http.ts'
import { loadDomain } from '../load-domain.ts'
import { progressAnswer } from '../openapi/answers.ts'
import { Problem } from '../problems.ts'
import { ProgressStreams } from '../progress-stream.ts'
import { keyOf, needs } from '../route.ts'
import { domainParams } from '../shapes.ts'

const SCOPE = 'domains:read'

/** GET /domains/{domain_id}/progress: for someone who waits; as a stream where one is asked for. */
export function getProgressRoute(app: Http, context: ApiContext): void {
  const { store } = context
  const streams = new ProgressStreams((error) => app.log.error({ err: error }, 'no look was taken'))
  app.addHook('preClose', async () => streams.end())
  app.get(
    `${API_PREFIX}/domains/:domain_id/progress`,
    {
      schema: {
        operationId: 'getProgress',
        summary: 'Tells someone who waits how far a domain is',
        description:
          'With `Accept: text/event-stream` it is a stream of events named `progress`, one for each change.',
        params: domainParams,
        answers: { 200: progressAnswer },
        problems: ['domain_not_found', 'too_many_streams'],
      },
      ...needs(context, SCOPE),
    },
    async (request, reply) => {
      const key = keyOf(request)
      const domainId = request.params.domain_id
      const progressNow = async () => {
        const { row, conditions } = await loadDomain(store, key, domainId)
        return progress(row, conditions)
      }
      const first = await progressNow()
      const isStream = (request.headers.accept ?? '').includes('text/event-stream')
      if (!isStream) return first
      // Who may not ask any more is not told any more either.
      const look = () => context.authorize(request, SCOPE).then(progressNow).catch(overAt)
      await streams.send(reply, store, { keyId: key.keyId, domainId, look })
      return reply
    },
  )
}

function overAt(error: unknown): 'over' {
  if (error instanceof Problem) return 'over'
  throw error
}
