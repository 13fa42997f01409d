import { z } from 'zod'
import { findThread, noteThread, type ThreadNotes } from '#store/conversations.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { SUCCESS, threadParams } from '../http/shapes.ts'
import { conversationShown } from './answers.ts'
import { conversationView } from './conversation-views.ts'

export const THREAD = `${API_PREFIX}/replies/threads/:thread_id`

const one = {
  params: threadParams,
  response: { 200: conversationShown },
  problems: ['conversation_not_found'] as const,
}

/** GET /replies/threads/{thread_id} */
export function getThreadRoute(app: Http, context: ApiContext): void {
  const schema = { ...one, operationId: 'getConversation', summary: 'Shows a conversation' }
  app.get(THREAD, { schema, ...needs(context, 'replies:read') }, (request) =>
    show(context, request, request.params.thread_id, 'Conversation retrieved successfully'),
  )
}

const CATEGORIES = [
  'interested',
  'meeting',
  'not_interested',
  'out_of_office',
  'wrong_person',
  'other',
] as const

/** PATCH …/read, …/star, …/archive and …/category: what a reader notes about a conversation. */
export function noteThreadRoutes(app: Http, context: ApiContext): void {
  const authorized = needs(context, 'replies:update')
  const note = async (request: object, id: string, notes: ThreadNotes) => {
    await noteThread(context.store, keyOf(request), id, notes)
    return show(context, request, id, 'Conversation changed.')
  }

  const read = {
    ...one,
    operationId: 'markConversationRead',
    summary: 'Marks a conversation as read, or as unread',
    body: z
      .object({ is_read: z.boolean().default(true).describe('`false` marks it as unread.') })
      .nullish(),
  }
  app.patch(`${THREAD}/read`, { schema: read, ...authorized }, (request) =>
    note(request, request.params.thread_id, { isRead: request.body?.is_read ?? true }),
  )

  const star = {
    ...one,
    operationId: 'toggleConversationStar',
    summary: 'Stars a conversation, or takes its star away',
  }
  app.patch(`${THREAD}/star`, { schema: star, ...authorized }, (request) =>
    note(request, request.params.thread_id, { togglesStar: true }),
  )

  const archive = {
    ...one,
    operationId: 'archiveConversation',
    summary: 'Archives a conversation until its next message arrives',
    body: z
      .object({
        is_archived: z.boolean().default(true).describe('`false` takes it out of the archive.'),
      })
      .nullish(),
  }
  app.patch(`${THREAD}/archive`, { schema: archive, ...authorized }, (request) =>
    note(request, request.params.thread_id, { isArchived: request.body?.is_archived ?? true }),
  )

  const category = {
    ...one,
    operationId: 'setConversationCategory',
    summary: 'Sets the category of a conversation',
    body: z.object({
      category: z.enum(CATEGORIES).nullable().describe('Null takes its category away.'),
    }),
  }
  app.patch(`${THREAD}/category`, { schema: category, ...authorized }, (request) =>
    note(request, request.params.thread_id, { category: request.body.category }),
  )
}

async function show({ store }: ApiContext, request: object, id: string, message: string) {
  const thread = await findThread(store, keyOf(request), id)
  if (!thread) throw new Problem('conversation_not_found')
  return { ...SUCCESS, message, ...conversationView(thread) }
}
