import { API_PREFIX } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import type { Document } from './document.ts'
import { PAGE_POLICY, pageOf } from './page.ts'

/** `/openapi.json` and `/docs`: the API for programs and for people. Neither needs a key. */
export function openapiRoutes(app: Http, describe: () => Document): void {
  let json: string | undefined
  let page: string | undefined

  app.get('/openapi.json', async (_request, reply) => {
    json ??= JSON.stringify(describe())
    return reply.type('application/json; charset=utf-8').send(json)
  })

  app.get('/docs', async (_request, reply) => {
    page ??= pageOf(describe(), API_PREFIX)
    return reply
      .type('text/html; charset=utf-8')
      .headers({
        'content-security-policy': PAGE_POLICY,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      })
      .send(page)
  })
}
