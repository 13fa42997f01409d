import { API_PREFIX, type ApiContext } from '../context.ts'
import { progress } from '../domain-views.ts'
import type { Http } from '../http.ts'
import { loadDomain } from '../load-domain.ts'
import { progressAnswer } from '../openapi/answers.ts'
import { ProgressStreams } from '../progress-stream.ts'
import { keyOf, needs } from '../route.ts'
import { domainParams } from '../shapes.ts'

/** GET /domains/{domain_id}/progress: for someone who waits; as a stream where one is asked for. */
export function getProgressRoute(app: Http, context: ApiContext): void {
  const { store } = context
  const streams = new ProgressStreams()
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
        problems: ['domain_not_found'],
      },
      ...needs(context, 'domains:read'),
    },
    async (request, reply) => {
      const { domain_id } = request.params
      const look = async () => {
        const { row, conditions } = await loadDomain(store, keyOf(request), domain_id)
        return progress(row, conditions)
      }
      const first = await look()
      const isStream = (request.headers.accept ?? '').includes('text/event-stream')
      if (!isStream) return first
      await streams.send(reply, store, domain_id, look)
      return reply
    },
  )
}
