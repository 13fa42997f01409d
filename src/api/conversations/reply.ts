import { cleanText } from '#mail/incoming/clean.ts'
import type { Draft } from '#mail/outgoing/draft.ts'
import { wordsOf } from '#mail/words.ts'
import { findThread, messagesOfThread } from '#store/conversations.ts'
import { claimOf } from '#store/domains.ts'
import { findInbox } from '#store/inboxes.ts'
import { loadDomainOf } from '../domains/load-domain.ts'
import type { ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Invalid, Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { SUCCESS, threadParams } from '../http/shapes.ts'
import { asProblem, mustSend } from '../inboxes/sending.ts'
import { replySent } from './answers.ts'
import { resultsView } from './conversation-views.ts'
import { contentOf, REPLY_BODY_LIMIT, replyBody } from './reply-body.ts'
import { readingOf } from './thread-messages.ts'
import { THREAD } from './threads.ts'

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
        body: replyBody,
        response: { 200: replySent },
        problems: [
          'conversation_not_found',
          'conversation_archived',
          'conversation_without_author',
          'inbox_is_elsewhere',
          'domain_not_active',
          'all_sending_stopped',
          'sending_stopped',
          'inbox_not_ready',
          'inbox_paused',
          'recipient_suppressed',
          'sending_limit_reached',
          'attachments_too_large',
          'message_not_composed',
          'provider_refused',
          'provider_unavailable',
        ],
      },
      ...needs(context, 'replies:create'),
      bodyLimit: REPLY_BODY_LIMIT,
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
      const subject = answerTo(thread.subject)
      const draft = {
        origin: 'reply' as const,
        inboxId: inbox.id,
        author: { localpart: inbox.localpart, displayName: inbox.display_name },
        recipient: thread.lead_email,
        subject,
        ...contentOf(request.body),
        signature: inbox.signature,
        ...(await threading(context, thread.id)),
      }
      const { mail, text } = await composed(context, draft, row.name)
      const sentCopy = {
        threadId: thread.id,
        subject,
        preview: cleanText(text, PREVIEW),
        words: wordsOf(thread.lead_email, subject, text),
      }
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

async function composed({ mail }: ApiContext, draft: Draft, domain: string) {
  const result = await mail.compose(draft, domain)
  if (!result) throw new Problem('message_not_composed')
  if (result.is === 'composed') return result
  const loc = ['body', 'attachments', result.index, 'content']
  throw new Invalid([{ loc, msg: 'value is not base64', type: 'value_error.str.base64' }])
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
