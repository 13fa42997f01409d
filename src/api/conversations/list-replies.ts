import { z } from 'zod'
import { KINDS } from '#mail/incoming/kind.ts'
import { wordsOf } from '#mail/words.ts'
import { listThreads } from '#store/messages.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { keyOf, needs } from '../http/route.ts'
import { id, optionalText, optionalTruth, pagination, paging, SUCCESS } from '../http/shapes.ts'
import { conversationList } from './answers.ts'
import { conversationView } from './conversation-views.ts'

const querystring = z.object({
  ...paging,
  campaign_id: id.optional().describe('Only conversations of this campaign.'),
  is_read: optionalTruth.describe('Only read ones, or only unread ones.'),
  is_starred: optionalTruth.describe('Only starred ones, or only unstarred ones.'),
  category: optionalText.describe('Only conversations of this category.'),
  inbox_id: id.optional().describe('Only conversations of this inbox.'),
  domain_id: id.optional().describe('Only conversations of inboxes on this domain.'),
  kind: z
    .enum(KINDS)
    .optional()
    .describe('Only conversations whose last message received is of this kind.'),
  search: optionalText.describe(
    'Only conversations with a message that has all these words, up to ten, in its author, its subject or the beginning of its text. Very frequent words are looked for in the latest 2,000 conversations.',
  ),
  archived: optionalTruth.describe(
    'Only archived ones, or only those that are not. Without it, both.',
  ),
})

/** GET /replies: the conversations of all inboxes, the latest first. */
export function listRepliesRoute(app: Http, context: ApiContext): void {
  app.get(
    `${API_PREFIX}/replies`,
    {
      schema: {
        operationId: 'listConversations',
        summary: 'Lists conversations, the latest first',
        querystring,
        response: { 200: conversationList },
      },
      ...needs(context, 'replies:read'),
    },
    async (request) => {
      const { page, limit, category, kind, ...query } = request.query
      const filter = {
        page,
        limit,
        category,
        kind,
        words: wordsIn(query.search),
        campaignId: query.campaign_id,
        inboxId: query.inbox_id,
        domainId: query.domain_id,
        isRead: query.is_read,
        isStarred: query.is_starred,
        isArchived: query.archived,
      }
      const { rows, total, unread } = await listThreads(context.store, keyOf(request), filter)
      const { pages, has_next, has_prev } = pagination({ page, limit }, total)
      return {
        ...SUCCESS,
        message: 'Conversations retrieved successfully',
        conversations: rows.map(conversationView),
        total_count: total,
        unread_count: unread,
        page,
        limit,
        total_pages: pages,
        has_next,
        has_prev,
      }
    },
  )
}

const WORDS = 10

/** Undefined for a search box that is empty. */
const wordsIn = (search = ''): readonly string[] | undefined =>
  search.trim() === '' ? undefined : wordsOf(search).slice(0, WORDS)
