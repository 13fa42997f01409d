import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { UNSUBSCRIBE_PATH } from '#mail/outgoing/unsubscribe.ts'
import { addressOf, unsubscribe, unsubscriptionOf } from '#store/unsubscriptions.ts'
import type { ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { donePage, PAGE_HEADERS, questionPage, UNKNOWN_PAGE } from './page.ts'

const params = z.object({ token: z.string() })
/** Mail services post a few octets. */
const BODY_LIMIT = 16 * 1024

/**
 * GET and POST of /u/{token}, for recipients of mail and the services that hold it. There is no key, no session and no rate
 * limit. A GET asks: scanners follow every link of a message. Any POST unsubscribes (RFC 8058 section 3.2), whatever its
 * body says and in whatever form.
 */
export function unsubscribeRoutes(app: Http, { store }: ApiContext): void {
  const path = `${UNSUBSCRIBE_PATH}:token`
  // The parser of bodies is for these routes only.
  void app.register(async (routes) => {
    // A type that is not well-formed would be refused before the body is read.
    routes.addHook('onRequest', async ({ headers }) => {
      delete headers['content-type']
    })
    routes.removeAllContentTypeParsers()
    const limits = { parseAs: 'buffer', bodyLimit: BODY_LIMIT } as const
    routes.addContentTypeParser('*', limits, (_request, _body, done) => done(null))

    routes.get(path, { schema: { params } }, async (request, reply) => {
      const found = unsubscriptionOf(store, (request.params as Params).token)
      if (!found) return answer(reply, 404, UNKNOWN_PAGE)
      return answer(reply, 200, questionPage(await addressOf(store, found)))
    })

    routes.post(path, { schema: { params } }, async (request, reply) => {
      const found = unsubscriptionOf(store, (request.params as Params).token)
      if (!found) return answer(reply, 404, UNKNOWN_PAGE)
      await unsubscribe(store, found)
      return answer(reply, 200, donePage(await addressOf(store, found)))
    })
  })
}

type Params = z.infer<typeof params>

const answer = (reply: FastifyReply, status: number, page: string) =>
  reply.status(status).headers(PAGE_HEADERS).send(page)
