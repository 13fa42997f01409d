import { z } from 'zod'
import type { SigningKey } from '#drivers/sender/contract.ts'
import { claimOf, type DomainRow } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams, SUCCESS } from '../http/shapes.ts'
import { rotationAnswer } from './answers.ts'
import { loadDomain } from './load-domain.ts'

const body = z
  .object({
    compromised: z
      .boolean()
      .default(false)
      .describe('Revokes every older key as soon as the new key signs.'),
  })
  .nullish()

const LIMIT_MS = 20_000

/** POST /domains/{domain_id}/dkim/rotate: makes a new key now, which signs once it is public. */
export function rotateDkimRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/domains/:domain_id/dkim/rotate`,
    {
      schema: {
        operationId: 'rotateDkim',
        summary: 'Begins to rotate the DKIM key: a new key signs once its record is public',
        params: domainParams,
        body,
        response: { 202: rotationAnswer },
        problems: [
          'domain_not_found',
          'domain_not_active',
          'not_rotatable',
          'rotation_in_progress',
        ],
      },
      ...needs(context, 'domains:update'),
    },
    async (request, reply) => {
      const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
      if (row.status !== 'ACTIVE')
        throw new Problem('domain_not_active', { domain_status: row.status })
      const { rotation } = context.sender(row)
      if (!rotation) throw new Problem('not_rotatable', { provider: row.sender_driver })
      const claim = await claimOf(store, row)
      const signal = AbortSignal.timeout(LIMIT_MS)
      const occasion = request.body?.compromised ? 'compromise' : 'routine'
      const result = await rotation.begin(claim, { occasion, at: context.now() }, signal)
      const keys = await rotation.keys(claim, signal)
      if (result === 'under_way')
        throw new Problem('rotation_in_progress', { selectors: keys.map(keyView) })
      return reply.status(202).send(answer(row, keys))
    },
  )
}

function answer(row: DomainRow, keys: readonly SigningKey[]) {
  const isUnderWay = keys.some(({ state }) => state === 'pending')
  return {
    ...SUCCESS,
    message: 'A new key is being published. It signs as soon as it is seen from outside.',
    domain_id: row.id,
    domain_name: row.name,
    state: isUnderWay ? ('rotating' as const) : ('rotated' as const),
    selectors: keys.map(keyView),
  }
}

const keyView = ({ selector, state }: SigningKey) => ({ selector, state })
