import { z } from 'zod'
import { findThread, noteThread } from '#store/conversations.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { SUCCESS, threadParams } from '../http/shapes.ts'
import { conversationShown } from './answers.ts'
import { conversationView } from './conversation-views.ts'

export const THREAD = `${API_PREFIX}/replies/threads/:thread_id`

/** One conversation: the thread, and what its reader notes. */
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
