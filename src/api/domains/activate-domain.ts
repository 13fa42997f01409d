import { z } from 'zod'
import {
  acceptDrops,
  type DomainRow,
  hasBeenLookedAt,
  requestLook,
  retryDomain,
} from '#store/domains.ts'
import { minutes } from '../../clock.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams, SUCCESS } from '../http/shapes.ts'
import { waitForDomain } from '../http/wait.ts'
import { activation } from './answers.ts'
import { delegationView, failureView, progressUrl } from './domain-views.ts'
import { type KnownDomain, loadDomain } from './load-domain.ts'

/** Accepts a plan that drops much of a zone, which otherwise stops. */
const body = z
  .object({
    accept_drops: z
      .boolean()
      .default(false)
      .describe(
        'Accepts a plan that removes much of the zone; without it the domain waits with the reason `plan_drops_much`.',
      ),
  })
  .nullish()

/** POST /domains/{domain_id}/activate, alias …/retry: looks at the delegation now; retries a FAILED one. */
export function activateDomainRoute(app: Http, context: ApiContext): void {
  for (const act of ['activate', 'retry']) registerAct(app, context, act)
}

function registerAct(app: Http, context: ApiContext, act: string): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/domains/:domain_id/${act}`,
    {
      schema: {
        operationId: `${act}Domain`,
        summary:
          act === 'activate'
            ? 'Looks at the delegation now, and lets the mail services start'
            : 'Retries the failed stages of a domain',
        params: domainParams,
        body,
        response: { 200: activation },
        problems: ['domain_not_found', 'domain_not_ready'],
      },
      ...needs(context, 'domains:update'),
    },
    async (request) => {
      const key = keyOf(request)
      const id = request.params.domain_id
      if (request.body?.accept_drops) await acceptDrops(store, id, key)
      const known = await loadDomain(store, key, id)
      const { status } = known.row
      if (status === 'PENDING' || status === 'DNS_CONFIGURING')
        throw new Problem('domain_not_ready')
      if (status === 'ACTIVE' || status === 'SERVICES_CONFIGURING') return answer(known, context)
      const askedAtEpoch =
        status === 'FAILED'
          ? await retryDomain(store, known.row)
          : await requestLook(store, id, { activates: true })
      const isAnswered = ({ row }: KnownDomain) =>
        row.status !== status || hasBeenLookedAt(row, askedAtEpoch)
      const seen = await waitForDomain(store, {
        domainId: id,
        known,
        look: () => loadDomain(store, key, id),
        done: isAnswered,
        limitMs: context.waitMs,
      })
      return answer(seen, context)
    },
  )
}

function answer({ row, conditions }: KnownDomain, context: ApiContext) {
  const isVerified = conditions.get('delegated')?.verdict.is === 'met'
  const isUnderWay = isVerified && row.status !== 'ACTIVE' && row.status !== 'FAILED'
  const estimate = new Date(context.now().getTime() + minutes(1)).toISOString()
  return {
    ...SUCCESS,
    message: messageOf(row, failureView(row, conditions)?.message),
    domain_id: row.id,
    domain_name: row.name,
    status: row.status,
    dns_verified: isVerified,
    progress_url: progressUrl(row.id),
    estimated_completion: isUnderWay ? estimate : null,
    ...(isVerified ? {} : { delegation: delegationView(row, conditions) }),
  }
}

function messageOf({ status, delegation }: DomainRow, failure: string | undefined): string {
  if (status === 'ACTIVE') return 'The domain is active.'
  if (status === 'SERVICES_CONFIGURING')
    return 'The nameservers are set; the mail services are being set up.'
  return failure ?? delegation?.message ?? 'The delegation is being looked at.'
}
