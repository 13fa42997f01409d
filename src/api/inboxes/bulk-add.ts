import { z } from 'zod'
import { findJob, insertJob } from '#store/bulk-jobs.ts'
import { inboxesById } from '#store/inboxes.ts'
import { type Reserved, reserveInboxes } from '#store/reserve-inboxes.ts'
import { loadDomain } from '../domains/load-domain.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { PROBLEMS, Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { headerText, id, SUCCESS } from '../http/shapes.ts'
import { bulkAdded, bulkProgress } from './answers.ts'
import { readLocalpart } from './localpart.ts'

/** A row is judged by itself, so its fields may be anything here. */
const row = z.object({
  email_prefix: z
    .string()
    .max(1000)
    .describe('The localpart of its address.')
    .meta({ examples: ['kim'] }),
  display_name: z
    .string()
    .max(1000)
    .describe('The display name in the From field.')
    .meta({ examples: ['Kim Example'] }),
})

const body = z.object({
  domain_id: id.describe('The domain of their addresses, which must be active.'),
  inboxes: z.array(row).min(1).max(100).describe('The inboxes, each judged by itself.'),
})

const displayName = headerText.min(1).max(255)

type Row = z.infer<typeof row>
type Result = {
  row: number
  email_prefix: string
  success: boolean
  inbox_id: string | null
  error: string | null
  message: string
}

/** POST /sender-accounts/coldsend-native/bulk, and the progress of such a request. */
export function bulkAddRoutes(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/sender-accounts/coldsend-native/bulk`,
    {
      schema: {
        operationId: 'addInboxes',
        summary: 'Adds up to 100 inboxes to a domain',
        description: 'Each row is judged by itself. The worker makes the mailboxes afterwards.',
        body,
        response: { 202: bulkAdded },
        problems: ['domain_not_found', 'domain_not_active'],
      },
      ...needs(context, 'sender_accounts:create'),
    },
    async (request, reply) => {
      const key = keyOf(request)
      const { row: domain } = await loadDomain(store, key, request.body.domain_id)
      if (domain.status !== 'ACTIVE')
        throw new Problem('domain_not_active', { domain_status: domain.status })
      const { requests, answer } = readRows(request.body.inboxes)
      let results: Result[] = []
      let jobId = ''
      const reserved = await reserveInboxes(store, domain, requests, async (tx, made) => {
        results = answer(made)
        jobId = await insertJob(tx, key, 'add_inboxes', results)
      })
      if (!reserved) throw new Problem('domain_not_found')
      const added = results.filter(({ success }) => success).length
      return reply.status(202).send({
        ...SUCCESS,
        message: `${added} of ${results.length} inboxes were added.`,
        total: results.length,
        success_count: added,
        failed_count: results.length - added,
        job_id: jobId,
        results,
      })
    },
  )
  app.get(
    `${API_PREFIX}/sender-accounts/coldsend-native/bulk/:job_id/progress`,
    {
      schema: {
        operationId: 'getInboxJob',
        summary: 'Shows how many inboxes of a bulk request are ready',
        params: z.object({ job_id: id }),
        response: { 200: bulkProgress },
        problems: ['job_not_found'],
      },
      ...needs(context, 'sender_accounts:read'),
    },
    async (request) => {
      const key = keyOf(request)
      const job = await findJob(store, key, 'add_inboxes', request.params.job_id)
      if (!job) throw new Problem('job_not_found')
      const results = job.results as unknown as readonly Result[]
      const ids = results.flatMap(({ inbox_id }) => inbox_id ?? [])
      const inboxes = await inboxesById(store, key, ids)
      const pending = [...inboxes.values()].filter(
        ({ status, removed_at }) => status === 'PENDING' && removed_at === null,
      )
      // A service may refuse an inbox that was added.
      const refused = pending.filter(({ problem }) => problem !== null).length
      const open = pending.length - refused
      return {
        ...SUCCESS,
        message: open > 0 ? 'The inboxes are being made.' : 'All rows are done.',
        job: {
          job_id: job.id,
          status: open > 0 ? ('IN_PROGRESS' as const) : ('COMPLETED' as const),
          progress_percentage: Math.floor((100 * (results.length - open)) / results.length),
          total_rows: results.length,
          processed_count: results.length - open,
          success_count: ids.length - open - refused,
          failed_count: results.length - ids.length + refused,
          started_at: job.created_at.toISOString(),
          results: [...results],
        },
      }
    },
  )
}

/** The rows that can be reserved; and what is answered to every row once they are. */
function readRows(rows: readonly Row[]) {
  const read = rows.map((each) => ({ ...each, ...readRow(each) }))
  const valid = read.flatMap(({ localpart, displayName }) =>
    localpart === undefined ? [] : { localpart, displayName },
  )
  const answer = (reserved: readonly Reserved[]): Result[] => {
    const results = reserved.values()
    return read.map((each, index) => {
      const said =
        each.refusal !== undefined ? refused(each.refusal) : outcome(results.next().value!)
      return { row: index, email_prefix: storable(each.email_prefix), ...said }
    })
  }
  return { requests: valid, answer }
}

function readRow({ email_prefix, display_name }: Row) {
  const parsed = readLocalpart(email_prefix)
  if ('refusal' in parsed) return { refusal: `email_prefix: ${parsed.refusal.message}` }
  const name = displayName.safeParse(display_name)
  if (!name.success) return { refusal: `display_name: ${name.error.issues[0]!.message}` }
  return { localpart: parsed.localpart, displayName: name.data }
}

/** Postgres holds neither U+0000 nor half of a surrogate pair. */
const storable = (text: string): string => text.toWellFormed().replaceAll('\0', '\ufffd')

const refused = (message: string) => ({
  success: false,
  inbox_id: null,
  error: 'invalid',
  message,
})

function outcome(reserved: Reserved) {
  if (reserved.is === 'reserved')
    return { success: true, inbox_id: reserved.inbox.id, error: null, message: 'Added.' }
  const code = PROBLEM_OF[reserved.is]
  return { success: false, inbox_id: null, error: code, message: PROBLEMS[code].detail }
}

export const PROBLEM_OF = {
  exists: 'inbox_exists',
  being_removed: 'inbox_being_removed',
  full: 'inbox_capacity_reached',
} as const
