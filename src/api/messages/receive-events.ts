import { createHash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { keepReports } from '#store/delivery-reports.ts'
import type { ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'

const params = z.object({ account: z.string().max(40) })
const querystring = z.object({ secret: z.string().max(200).default('') })

/**
 * POST /api/hooks/senders/{account}?secret=…: a sender service's events about messages. It has no API key,
 * and the secret is never logged, as the log has no queries. Repeated events change nothing. An unknown
 * account and a wrong secret get the same answer.
 */
export function receiveEventsRoute(app: Http, { store, senderEvents }: ApiContext): void {
  app.post('/api/hooks/senders/:account', { schema: { params, querystring } }, async (request) => {
    const { account } = request.params
    const events = senderEvents(account)
    if (!events || !isSame(events.secret, request.query.secret)) throw new Problem('not_found')
    const posted = events.read(request.body)
    if (!posted) throw new Problem('bad_request')
    await keepReports(store, account, posted.reports)
    return posted.answer
  })
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))
