import { z } from 'zod'
import { cleanText } from '#mail/incoming/clean.ts'
import { compose } from '#mail/outgoing/compose.ts'
import { findThread, messagesOfThread } from '#store/conversations.ts'
import { claimOf } from '#store/domains.ts'
import { findInbox } from '#store/inboxes.ts'
import { loadDomainOf } from '../domains/load-domain.ts'
import type { ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { SUCCESS, threadParams } from '../http/shapes.ts'
import { asProblem, mustSend } from '../inboxes/sending.ts'
import { replySent } from './answers.ts'
import { resultsView } from './conversation-views.ts'
import { readingOf, THREAD } from './threads.ts'

const body = z.object({
  body: z
    .string()
    .min(1)
    .max(500_000)
    .regex(/^[^\0\p{Cs}]*$/u, 'null characters are not allowed')
    .describe('The text of the answer.')
    .meta({ examples: ['Thank you.'] }),
})

const SEND_LIMIT_MS = 20_000
const PREVIEW = 200
const SUBJECT = 990

/** POST /replies/threads/{thread_id}/reply: an answer to the author of the last message received. */
export function replyRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${THREAD}/reply`,
    {
      schema: {
        operationId: 'replyToConversation',
        summary: 'Answers a conversation from its inbox',
        description:
          'The answer goes to `lead_email`. Its `authentication` says whether that is who wrote: with `dmarc` other than `pass`, anybody may have.',
        params: threadParams,
        body,
        response: { 200: replySent },
        problems: [
          'conversation_not_found',
          'conversation_archived',
          'conversation_without_author',
          'inbox_is_elsewhere',
          'domain_not_active',
          'sending_stopped',
          'inbox_not_ready',
          'inbox_paused',
          'recipient_suppressed',
          'sending_limit_reached',
          'provider_refused',
          'provider_unavailable',
        ],
      },
      ...needs(context, 'replies:create'),
    },
    async (request) => {
      const key = keyOf(request)
      const thread = await findThread(store, key, request.params.thread_id)
      if (!thread) throw new Problem('conversation_not_found')
      const inbox = await findInbox(store, key, thread.inbox_id)
      if (thread.archive || !inbox) throw new Problem('conversation_archived')
      if (thread.lead_email === '') throw new Problem('conversation_without_author')
      const { row, conditions } = await loadDomainOf(store, key, inbox)
      mustSend(inbox, row, conditions, context.now())
      const text = request.body.body
      const mail = await compose(
        {
          origin: 'reply',
          inboxId: inbox.id,
          author: { localpart: inbox.localpart, displayName: inbox.display_name },
          recipient: thread.lead_email,
          subject: answerTo(thread.subject),
          text,
          ...(await threading(context, thread.id)),
        },
        row.name,
      )
      const preview = cleanText(text, PREVIEW)
      const sentCopy = { threadId: thread.id, subject: answerTo(thread.subject), preview }
      const claim = await claimOf(store, row)
      const limit = AbortSignal.timeout(SEND_LIMIT_MS)
      await context
        .sender(row)
        .send(claim, { ...mail, sentCopy }, limit)
        .catch(asProblem)
      return {
        ...SUCCESS,
        message: 'The answer was handed over for delivery.',
        thread_id: thread.id,
        outgoing_message_id: mail.id,
        message_id: mail.messageId,
        recipient_email: thread.lead_email,
        authentication: thread.last_authentication && resultsView(thread.last_authentication),
        sent_at: context.now().toISOString(),
      }
    },
  )
}

const answerTo = (subject: string): string =>
  (/^re:/i.test(subject) ? subject : `Re: ${subject}`).slice(0, SUBJECT)

/** RFC 5322 section 3.6.4: the last message, and all that it refers to. */
async function threading(context: ApiContext, threadId: string) {
  const [last] = await messagesOfThread(context.store, threadId, 1)
  const reading = last && (await readingOf(context, last))
  if (!reading?.messageId) return {}
  const { messageId, references } = reading
  return { inReplyTo: messageId, references: [...references, messageId] }
}
