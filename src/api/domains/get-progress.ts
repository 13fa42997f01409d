import { TOPICS } from '#store/context.ts'
import { type Changes, changesOf } from '../http/changes.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams } from '../http/shapes.ts'
import { type Stream, streamsOf } from '../http/streams.ts'
import { progressAnswer } from './answers.ts'
import { progress } from './domain-views.ts'
import { loadDomain } from './load-domain.ts'

const SCOPE = 'domains:read'

/** GET /domains/{domain_id}/progress: a short progress; as a stream on request. */
export function getProgressRoute(app: Http, context: ApiContext): void {
  const { store } = context
  const streams = streamsOf(app)
  const onError = (error: unknown) => {
    app.log.error({ err: error }, 'could not read the progress of a domain')
    return undefined
  }
  app.get(
    `${API_PREFIX}/domains/:domain_id/progress`,
    {
      schema: {
        operationId: 'getProgress',
        summary: 'Shows the progress of a domain',
        description:
          'With `Accept: text/event-stream` the answer is a stream, with an event `progress` for each change.',
        params: domainParams,
        response: { 200: progressAnswer },
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
      // A revoked key ends its stream.
      const look = () => context.authorize(request, SCOPE).then(progressNow).catch(overAt)
      await streams.send(reply, key.keyId, async (stream) => {
        using changes = changesOf(store, TOPICS.domain(domainId))
        await streamProgress(stream, changes, () => look().catch(onError))
      })
      return reply
    },
  )
}

const ENDS = ['COMPLETED', 'FAILED']
const LOOK_MS = 1000

/** Sends an event for each change until the end. Repeats a look that could not be taken. */
async function streamProgress(
  stream: Stream,
  changes: Changes,
  look: () => Promise<{ status: string } | 'over' | undefined>,
): Promise<void> {
  let last = ''
  for (; !stream.over.aborted; await changes.next(LOOK_MS, stream.over)) {
    const seen = await look()
    if (seen === 'over') return
    const text = seen ? JSON.stringify(seen) : last
    if (text === last) stream.beat()
    else stream.send({ name: 'progress', data: seen })
    last = text
    if (seen && ENDS.includes(seen.status)) return
  }
}

function overAt(error: unknown): 'over' {
  if (error instanceof Problem) return 'over'
  throw error
}
