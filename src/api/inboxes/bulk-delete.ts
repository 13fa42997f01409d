import { z } from 'zod'
import { insertJob } from '#store/bulk-jobs.ts'
import { removeInbox } from '#store/change-inboxes.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { PROBLEMS } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { id, SUCCESS } from '../http/shapes.ts'
import { bulkDeleted } from './answers.ts'

const body = z.object({
  inbox_ids: z.array(id).min(1).max(100).describe('The inboxes to delete.'),
  confirm_deletion: z.literal(true).describe('Must be `true`.'),
})

/** POST /sender-accounts/bulk/delete: each by itself; one that is in use or unknown is skipped. */
export function bulkDeleteRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/sender-accounts/bulk/delete`,
    {
      schema: {
        operationId: 'deleteInboxes',
        summary: 'Deletes up to 100 inboxes',
        body,
        response: { 200: bulkDeleted },
      },
      ...needs(context, 'sender_accounts:delete'),
    },
    async (request) => {
      const key = keyOf(request)
      const ids = [...new Set(request.body.inbox_ids)]
      const results = []
      for (const inbox_id of ids) {
        const result = await removeInbox(store, key, inbox_id, context.archivedMailDays)
        results.push({ inbox_id, ...outcome(result) })
      }
      const deleted = results.filter(({ success }) => success).length
      return {
        ...SUCCESS,
        message: `${deleted} of ${ids.length} inboxes were deleted.`,
        total: ids.length,
        deleted_count: deleted,
        failed_count: 0,
        skipped_count: ids.length - deleted,
        job_id: await insertJob(store.db, key, 'delete_inboxes', results),
        results,
      }
    },
  )
}

function outcome(result: Awaited<ReturnType<typeof removeInbox>>) {
  if (result === 'removed') return { success: true, error: null, message: 'Deleted.', blockers: [] }
  const code = result === 'gone' ? 'sender_account_not_found' : 'inbox_in_use'
  const blockers = result === 'gone' ? [] : result.blockers
  return { success: false, error: code, message: PROBLEMS[code].detail, blockers }
}
