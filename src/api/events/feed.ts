/** The events of a workspace, in one order. */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { EVENT_TYPES } from '#events/catalogue.ts'
import { readFeed } from '#store/events.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { limitOf, SUCCESS } from '../http/shapes.ts'
import { type Stream, streamsOf } from '../http/streams.ts'
import { feed } from './answers.ts'
import { eventView } from './event-view.ts'

const position = z.string().regex(/^\d{1,18}$/, 'value is not a position of the feed')

const querystring = z.object({
  after: position
    .default('0')
    .describe(
      'The `next_after` of a page, to read the page after it; `0` begins with the oldest event.',
    ),
  limit: limitOf(100),
  types: z
    .string()
    .max(2000)
    .optional()
    .transform((written) => written?.split(',') ?? [])
    .pipe(z.array(z.enum(EVENT_TYPES)))
    .describe('Only events of these types, with commas between.'),
})

const SCOPE = 'events:read'
/** How often a stream looks for new events. */
const LOOK_MS = 1000
const READ_AT_ONCE = 100

/** GET /events: the events of the workspace, oldest first; as a stream on request. */
export function feedRoute(app: Http, context: ApiContext): void {
  const { store } = context
  const streams = streamsOf(app)
  app.get(
    `${API_PREFIX}/events`,
    {
      schema: {
        operationId: 'listWorkspaceEvents',
        summary: 'Lists the events of a workspace, the oldest first',
        description:
          'Events have one order, and a later event never comes before one that you have read: to poll, send ' +
          '`next_after` as `after`. With `Accept: text/event-stream` the answer is a stream that stays open; each ' +
          'event has its position as its id, and `Last-Event-ID` continues after it. Mailstead keeps events of ' +
          'messages for 30 days, and all others for a year.',
        querystring,
        response: { 200: feed },
        problems: ['too_many_streams'],
      },
      ...needs(context, SCOPE),
    },
    async (request, reply) => {
      const key = keyOf(request)
      const { after, limit, types } = request.query
      const pageAfter = (from: string, most: number) =>
        readFeed(store, key, { after: from, limit: most, types })
      if (!(request.headers.accept ?? '').includes('text/event-stream')) {
        const rows = await pageAfter(after, limit)
        return {
          ...SUCCESS,
          message: 'Events retrieved successfully',
          events: rows.map(eventView),
          next_after: rows.at(-1)?.position ?? after,
        }
      }
      const seen = position.safeParse(request.headers['last-event-id'])
      const mayGoOn = () =>
        context.authorize(request, SCOPE).then(
          () => true,
          (error: unknown) => !(error instanceof Problem),
        )
      const onError = (error: unknown) => {
        app.log.error({ err: error }, 'could not read events')
        return undefined
      }
      await streams.send(reply, key.keyId, (stream) =>
        streamEvents(stream, seen.data ?? after, {
          mayGoOn,
          read: (from) => pageAfter(from, READ_AT_ONCE).catch(onError),
        }),
      )
      return reply
    },
  )
}

type Source = {
  mayGoOn(): Promise<boolean>
  /** Undefined if the read failed just now. */
  read(after: string): Promise<Awaited<ReturnType<typeof readFeed>> | undefined>
}

async function streamEvents(
  stream: Stream,
  from: string,
  { mayGoOn, read }: Source,
): Promise<void> {
  let after = from
  while (!stream.over.aborted && (await mayGoOn())) {
    const rows = (await read(after)) ?? []
    for (const row of rows) stream.send({ name: row.type, id: row.position!, data: eventView(row) })
    after = rows.at(-1)?.position ?? after
    // A client that does not read must not have us hold all events in memory.
    await stream.room()
    if (rows.length === READ_AT_ONCE) continue
    stream.beat()
    await delay(LOOK_MS, undefined, { signal: stream.over }).catch(() => undefined)
  }
}
