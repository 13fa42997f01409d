import { z } from 'zod'
import type { Reading } from '#mail/incoming/read.ts'
import {
  findContent,
  findThread,
  messagesOfThread,
  noteThread,
  type ThreadMessage,
} from '#store/conversations.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { limitOf, SUCCESS, threadParams } from '../http/shapes.ts'
import { conversationShown, messagesShown } from './answers.ts'
import { conversationView, resultsView } from './conversation-views.ts'

/** A request waits this long for messages to be read; those that are left have no text. */
const READ_FOR_MS = 10_000

export const THREAD = `${API_PREFIX}/replies/threads/:thread_id`

/** One conversation: the thread, its messages, and what its reader notes. */
export function threadRoutes(app: Http, context: ApiContext): void {
  const { store } = context
  const show = async (request: object, id: string, message: string) => {
    const thread = await findThread(store, keyOf(request), id)
    if (!thread) throw new Problem('conversation_not_found')
    return { ...SUCCESS, message, ...conversationView(thread) }
  }
  const one = {
    params: threadParams,
    response: { 200: conversationShown },
    problems: ['conversation_not_found'] as const,
  }

  const get = { ...one, operationId: 'getConversation', summary: 'Shows a conversation' }
  app.get(THREAD, { schema: get, ...needs(context, 'replies:read') }, (request) =>
    show(request, request.params.thread_id, 'Conversation retrieved successfully'),
  )

  const list = {
    operationId: 'listConversationMessages',
    summary: 'Lists the latest messages of a conversation, the oldest of them first',
    params: threadParams,
    querystring: z.object({ limit: limitOf(50) }),
    response: { 200: messagesShown },
    problems: ['conversation_not_found'] as const,
  }
  app.get(
    `${THREAD}/messages`,
    { schema: list, ...needs(context, 'replies:read') },
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

  const read = {
    ...one,
    operationId: 'markConversationRead',
    summary: 'Marks a conversation as read, or as unread',
    body: z
      .object({ is_read: z.boolean().default(true).describe('`false` marks it as unread.') })
      .nullish(),
  }
  app.patch(
    `${THREAD}/read`,
    { schema: read, ...needs(context, 'replies:update') },
    async (request) => {
      const { thread_id } = request.params
      await noteThread(store, keyOf(request), thread_id, { isRead: request.body?.is_read ?? true })
      return show(request, thread_id, 'Conversation changed.')
    },
  )

  const star = {
    ...one,
    operationId: 'toggleConversationStar',
    summary: 'Stars a conversation, or takes its star away',
  }
  app.patch(
    `${THREAD}/star`,
    { schema: star, ...needs(context, 'replies:update') },
    async (request) => {
      const { thread_id } = request.params
      await noteThread(store, keyOf(request), thread_id, { togglesStar: true })
      return show(request, thread_id, 'Conversation changed.')
    },
  )
}

/** What a message says; undefined if that cannot be read in time. */
export async function readingOf(
  { store, readMessage }: ApiContext,
  { contentId }: ThreadMessage,
): Promise<Reading | undefined> {
  const content = await findContent(store, contentId)
  return content && readMessage(content)
}

function messageView(row: ThreadMessage, reading: Reading | undefined) {
  const isSent = row.outgoingId !== null
  return {
    message_id: row.id,
    direction: isSent ? ('sent' as const) : ('received' as const),
    author: row.author,
    recipient: row.recipient,
    subject: row.subject,
    text: reading?.text ?? null,
    is_cut: reading?.isCut ?? false,
    attachments: (reading?.attachments ?? []).map(({ filename, contentType, octets }) => ({
      filename,
      content_type: contentType,
      octets,
    })),
    authentication: isSent ? null : resultsView(row.authentication),
    outgoing_message_id: row.outgoingId,
    state: row.state,
    at: row.at.toISOString(),
  }
}
