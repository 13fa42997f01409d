import { z } from 'zod'
import { changeInbox, removeInbox, setPaused } from '#store/change-inboxes.ts'
import { dropMailOfRemoved } from '#store/mail-retention.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { headerText, inboxParams, SUCCESS, storableText } from '../http/shapes.ts'
import { inboxRemoved, inboxShown } from './answers.ts'
import { inboxItem } from './inbox-views.ts'
import { loadInbox, presentInbox } from './load-inbox.ts'

const ONE = `${API_PREFIX}/sender-accounts/:inbox_id`

const settings = z.object({
  display_name: headerText
    .min(1)
    .max(255)
    .optional()
    .describe('The display name in the From field of later messages.'),
  daily_limit: z
    .int()
    .min(0)
    .max(100_000)
    .optional()
    .describe('How many messages may leave within any 24 hours; 0 for none.'),
  signature: storableText
    .max(2000)
    .optional()
    .describe('The plain text below its answers; empty for none.')
    .meta({ examples: ['Kim Lee\nAcme'] }),
})

const removal = z.object({
  mail: z
    .enum(['archive', 'delete'])
    .default('archive')
    .describe(
      '`delete` deletes its conversations at once; otherwise they are archived for a while.',
    ),
})

/** GET, PUT and DELETE of one sender account, and its pause. */
export function oneInboxRoutes(app: Http, context: ApiContext): void {
  const { store } = context
  const read = {
    operationId: 'getInbox',
    summary: 'Shows an inbox',
    params: inboxParams,
    response: { 200: inboxShown },
    problems: ['sender_account_not_found'] as const,
  }
  app.get(ONE, { schema: read, ...needs(context, 'sender_accounts:read') }, async (request) =>
    inboxItem(await loadInbox(store, keyOf(request), request.params.inbox_id)),
  )

  const change = {
    operationId: 'changeInbox',
    summary: 'Changes the name, the limit or the signature of an inbox',
    params: inboxParams,
    body: settings,
    response: { 200: inboxShown },
    problems: ['sender_account_not_found'] as const,
  }
  app.put(ONE, { schema: change, ...needs(context, 'sender_accounts:update') }, async (request) => {
    const { display_name, daily_limit, signature } = request.body
    const wanted = { displayName: display_name, dailyLimit: daily_limit, signature }
    const { inbox_id } = request.params
    const inbox = presentInbox(await changeInbox(store, keyOf(request), inbox_id, wanted))
    return inboxItem(inbox, 'Sender account changed.')
  })

  const remove = {
    operationId: 'deleteInbox',
    summary: 'Deletes an inbox, its mailbox and its right to send',
    params: inboxParams,
    querystring: removal,
    response: { 200: inboxRemoved },
    problems: ['sender_account_not_found', 'inbox_in_use'] as const,
  }
  app.delete(
    ONE,
    { schema: remove, ...needs(context, 'sender_accounts:delete') },
    async (request) => {
      const { inbox_id } = request.params
      const deletesMail = request.query.mail === 'delete'
      const days = deletesMail ? 0 : context.archivedMailDays
      const result = await removeInbox(store, keyOf(request), inbox_id, days)
      if (result === 'gone') throw new Problem('sender_account_not_found')
      if (result !== 'removed') throw new Problem('inbox_in_use', { blockers: result.blockers })
      if (deletesMail) await dropMailOfRemoved(store)
      return { ...SUCCESS, message: 'Sender account deleted.', inbox_id }
    },
  )

  for (const [act, operationId, isPaused] of [
    ['pause', 'pauseInbox', true],
    ['resume', 'resumeInbox', false],
  ] as const) {
    const pause = {
      operationId,
      summary: isPaused
        ? 'Pauses an inbox: it receives mail, and its messages wait'
        : 'Resumes a paused inbox',
      params: inboxParams,
      response: { 200: inboxShown },
      problems: ['sender_account_not_found', 'inbox_not_ready'] as const,
    }
    app.post(
      `${ONE}/${act}`,
      { schema: pause, ...needs(context, 'sender_accounts:update') },
      async (request) => {
        const { inbox_id } = request.params
        const inbox = presentInbox(await setPaused(store, keyOf(request), inbox_id, isPaused))
        if (inbox.status === 'PENDING') throw new Problem('inbox_not_ready')
        return inboxItem(inbox, isPaused ? 'Sender account paused.' : 'Sender account resumed.')
      },
    )
  }
}
