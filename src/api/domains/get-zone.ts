import { z } from 'zod'
import { accountsOfDomain } from '#store/domain-passes.ts'
import { claimOf } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams } from '../http/shapes.ts'
import { loadDomain } from './load-domain.ts'
import { masterFile } from './master-file.ts'

const READ_LIMIT_MS = 20_000

/** GET /domains/{domain_id}/zone: the zone at its zone host, as a master file. */
export function getZoneRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${API_PREFIX}/domains/:domain_id/zone`,
    {
      schema: {
        operationId: 'getZone',
        summary: 'Exports the hosted zone as a master file',
        params: domainParams,
        response: { 200: { content: { 'text/dns': { schema: z.string() } } } },
        problems: [
          'domain_not_found',
          'domain_not_ready',
          'provider_refused',
          'provider_unavailable',
        ],
      },
      ...needs(context, 'domains:read'),
    },
    async (request, reply) => {
      const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
      const claim = await claimOf(store, row)
      const host = context.zoneHost(row.world, accountsOfDomain(row))
      const rrsets = await host.readZone(claim, AbortSignal.timeout(READ_LIMIT_MS))
      if (rrsets === undefined || claim.nameservers.length === 0)
        throw new Problem('domain_not_ready')
      return reply.type('text/dns; charset=utf-8').send(masterFile(claim, rrsets, context.now()))
    },
  )
}
