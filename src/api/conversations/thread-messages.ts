import { z } from 'zod'
import type { NamedAttachment } from '#mail/incoming/attachments.ts'
import type { Reading } from '#mail/incoming/read.ts'
import {
  findContent,
  findThread,
  messagesOfThread,
  type ThreadMessage,
} from '#store/conversations.ts'
import type { ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { limitOf, SUCCESS, threadParams } from '../http/shapes.ts'
import { messagesShown } from './answers.ts'
import { resultsView } from './conversation-views.ts'
import { THREAD } from './threads.ts'

/** A request waits this long for messages to be read; those that are left have no text. */
const READ_FOR_MS = 10_000

/** GET /replies/threads/{thread_id}/messages: the latest messages of a conversation. */
export function threadMessagesRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${THREAD}/messages`,
    {
      schema: {
        operationId: 'listConversationMessages',
        summary: 'Lists the latest messages of a conversation, the oldest of them first',
        params: threadParams,
        querystring: z.object({ limit: limitOf(50) }),
        response: { 200: messagesShown },
        problems: ['conversation_not_found'],
      },
      ...needs(context, 'replies:read'),
    },
    async (request) => {
      const { thread_id } = request.params
      if (!(await findThread(store, keyOf(request), thread_id)))
        throw new Problem('conversation_not_found')
      const rows = await messagesOfThread(store, thread_id, request.query.limit)
      const messages = []
      const until = performance.now() + READ_FOR_MS
      // One at a time: each may be as large as a message can be. The latest are read first.
      for (const row of rows.toReversed()) {
        const reading = performance.now() < until ? await readingOf(context, row) : undefined
        messages.unshift(messageView(row, reading))
      }
      return { ...SUCCESS, message: 'Messages retrieved successfully', thread_id, messages }
    },
  )
}

/** What a message says; undefined if that cannot be read in time. */
export async function readingOf(
  { store, mail }: ApiContext,
  { contentId }: Pick<ThreadMessage, 'contentId'>,
): Promise<Reading | undefined> {
  const content = await findContent(store, contentId)
  return content && mail.read(content)
}

function messageView(row: ThreadMessage, reading: Reading | undefined) {
  const isSent = row.outgoingId !== null
  return {
    message_id: row.id,
    direction: isSent ? ('sent' as const) : ('received' as const),
    author: row.author,
    recipient: row.recipient,
    kind: isSent ? null : row.kind,
    subject: row.subject,
    text: reading?.text ?? null,
    is_cut: reading?.isCut ?? false,
    html: reading?.html?.html ?? null,
    is_html_cut: reading?.html?.isCut ?? false,
    blocked_images: reading?.html?.blockedImages ?? 0,
    attachments: (reading?.attachments.listed ?? []).map(attachmentView),
    attachment_count: reading?.attachments.total ?? null,
    authentication: isSent ? null : resultsView(row.authentication),
    outgoing_message_id: row.outgoingId,
    state: row.state,
    at: row.at.toISOString(),
  }
}

const attachmentView = (
  { filename, contentType, octets, disposition, contentId }: NamedAttachment,
  index: number,
) => ({
  attachment_id: String(index),
  filename,
  content_type: contentType,
  octets,
  disposition,
  content_id: contentId === '' ? null : contentId,
})
