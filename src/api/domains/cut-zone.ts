import { absolute } from '#names/domain-name.ts'
import { addCut } from '#store/cuts.ts'
import { nameserversOf } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams, SUCCESS } from '../http/shapes.ts'
import { zoneCut } from './answers.ts'
import { loadDomain } from './load-domain.ts'
import { readZoneContents, refuseConflict } from './zone-contents.ts'

/** POST /domains/{domain_id}/cut: delegates a name inside a zone of the same workspace. */
export function cutZoneRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/domains/:domain_id/cut`,
    {
      schema: {
        operationId: 'cutZone',
        summary: 'Delegates a domain from the enclosing zone in your workspace',
        description:
          'For a domain whose delegation verdict is `inside_your_zone`: Mailstead adds its NS records to the enclosing zone, and removes them when the domain is deleted.',
        params: domainParams,
        response: { 200: zoneCut },
        problems: [
          'domain_not_found',
          'domain_not_ready',
          'not_inside_your_zone',
          'record_conflict',
          'domain_being_removed',
        ],
      },
      ...needs(context, 'domains:update'),
    },
    async (request) => {
      const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
      const nameservers = await nameserversOf(store, row.id)
      if (nameservers.length === 0) throw new Problem('domain_not_ready')
      const delegation = { name: absolute(row.name), type: 'NS' } as const
      const result = await addCut(store, row, nameservers, async (held, above) =>
        refuseConflict(delegation, await readZoneContents(held, above)),
      )
      if (result.is !== 'cut') throw new Problem(REFUSALS[result.is])
      const { zone } = result
      return {
        ...SUCCESS,
        message: `${zone} delegates ${row.name} in a moment.`,
        domain_id: row.id,
        domain_name: row.name,
        zone,
        nameservers,
      }
    },
  )
}

const REFUSALS = {
  not_inside: 'not_inside_your_zone',
  gone: 'domain_being_removed',
} as const
