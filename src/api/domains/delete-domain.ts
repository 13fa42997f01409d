import { z } from 'zod'
import { planRemoval } from '#domains/removal-plan.ts'
import type { StoreContext } from '#store/context.ts'
import { listCustomerRecords } from '#store/customer-records.ts'
import type { DomainRow } from '#store/domains.ts'
import { inboxCounts, recordsOf } from '#store/domains.ts'
import { dropMailOfRemoved } from '#store/mail-retention.ts'
import { blockersOf, placementsOf, requestRemoval } from '#store/remove-domain.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams, optionalTruth, SUCCESS } from '../http/shapes.ts'
import { deletion } from './answers.ts'
import { loadDomain } from './load-domain.ts'

const querystring = z.object({
  mail: z
    .enum(['archive', 'delete'])
    .default('archive')
    .describe(
      'Whether Mailstead keeps the conversations of the domain for a while, or deletes them now.',
    ),
  dry_run: optionalTruth.describe('Lists what the removal would remove, and changes nothing.'),
})

/** DELETE /domains/{domain_id}: off every list at once, torn down after the answer. */
export function deleteDomainRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.delete(
    `${API_PREFIX}/domains/:domain_id`,
    {
      schema: {
        operationId: 'deleteDomain',
        summary: 'Removes a domain; with `dry_run`, lists what it would remove',
        params: domainParams,
        querystring,
        response: { 200: deletion },
        problems: ['domain_not_found', 'domain_in_use'],
      },
      ...needs(context, 'domains:delete'),
    },
    async (request) => {
      const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
      if (request.query.dry_run) return rehearse(store, row)
      const deletesMail = request.query.mail === 'delete'
      const result = await requestRemoval(store, row, deletesMail ? 0 : context.archivedMailDays)
      if (result === 'requested' && deletesMail) await dropMailOfRemoved(store)
      if (result === 'gone') throw new Problem('domain_not_found')
      if (result !== 'requested') throw new Problem('domain_in_use', { blockers: result.blockers })
      return {
        ...SUCCESS,
        message: 'Domain deleted.',
        domain_id: row.id,
        domain_name: row.name,
        deleted: true as const,
      }
    },
  )
}

/** What a removal would take away, and what prevents it; nothing is changed. */
async function rehearse(store: StoreContext, row: DomainRow) {
  const [blockers, placements, inboxes, ours, theirs] = await Promise.all([
    blockersOf(store.db, row.id),
    placementsOf(store, row.id),
    inboxCounts(store, [row.id]),
    recordsOf(store.db, row.id),
    listCustomerRecords(store.db, row.id),
  ])
  const { removed, kept } = planRemoval({
    placements,
    inboxes: inboxes.get(row.id) ?? 0,
    ours: ours.length,
    theirs: theirs.length,
    zoneAccount: row.zone_driver,
    mailboxAccount: row.mailbox_driver,
  })
  return {
    ...SUCCESS,
    message: blockers.length > 0 ? 'The domain is in use.' : 'The domain can be removed.',
    domain_id: row.id,
    domain_name: row.name,
    deleted: false as const,
    blockers,
    would_remove: removed,
    would_keep: kept,
  }
}
