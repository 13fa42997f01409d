import { Readable } from 'node:stream'
import { z } from 'zod'
import { mailOfDomain } from '#store/mail-export.ts'
import { findDomainOrRemoved } from '#store/remove-domain.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams } from '../http/shapes.ts'
import { mboxOf } from './mbox.ts'

/** GET /domains/{domain_id}/mail: all incoming messages, also for a while after a removal. */
export function getMailRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${API_PREFIX}/domains/:domain_id/mail`,
    {
      schema: {
        operationId: 'exportMail',
        summary: 'Exports all mail that a domain received, as an mbox',
        params: domainParams,
        response: { 200: { content: { 'application/mbox': { schema: z.string() } } } },
        problems: ['domain_not_found'],
      },
      ...needs(context, 'replies:read'),
    },
    async (request, reply) => {
      const row = await findDomainOrRemoved(store, keyOf(request), request.params.domain_id)
      if (!row || (row.mail_until !== null && row.mail_until <= context.now()))
        throw new Problem('domain_not_found')
      const mbox = Readable.from(mboxOf(mailOfDomain(store, row.id)))
      return (
        reply
          .type('application/mbox')
          .header('content-disposition', `attachment; filename="${row.name}.mbox"`)
          // To Fastify a stream, to the reader a text.
          .send(mbox as unknown as string)
      )
    },
  )
}
