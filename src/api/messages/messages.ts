import { z } from 'zod'
import { findOutgoing, listOutgoing, type OutgoingRow } from '#store/outgoing-messages.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { emailAddress, id, messageParams, pagination, paging, SUCCESS } from '../http/shapes.ts'
import { messageList, messageShown, OUTGOING_STATES } from './answers.ts'

const querystring = z.object({
  ...paging,
  inbox_id: id.optional().describe('Only messages of this inbox.'),
  state: z.enum(OUTGOING_STATES).optional().describe('Only messages in this state.'),
  recipient: emailAddress.optional().describe('Only messages to this recipient.'),
})

/** GET /messages and GET /messages/{message_id}: accepted messages and their states. */
export function messagesRoutes(app: Http, context: ApiContext): void {
  app.get(
    `${API_PREFIX}/messages`,
    {
      schema: {
        operationId: 'listMessages',
        summary: 'Lists outgoing messages, the newest first',
        querystring,
        response: { 200: messageList },
      },
      ...needs(context, 'sender_accounts:read'),
    },
    async (request) => {
      const { page, limit, inbox_id, state, recipient } = request.query
      const filter = { page, limit, state, inboxId: inbox_id, recipient: recipient?.toLowerCase() }
      const { rows, total } = await listOutgoing(context.store, keyOf(request), filter)
      return {
        ...SUCCESS,
        message: 'Messages retrieved successfully',
        messages: rows.map(messageView),
        pagination: pagination({ page, limit }, total),
      }
    },
  )

  app.get(
    `${API_PREFIX}/messages/:message_id`,
    {
      schema: {
        operationId: 'getMessage',
        summary: 'Shows an outgoing message with its attempts',
        params: messageParams,
        response: { 200: messageShown },
        problems: ['message_not_found'],
      },
      ...needs(context, 'sender_accounts:read'),
    },
    async (request) => {
      const found = await findOutgoing(context.store, keyOf(request), request.params.message_id)
      if (!found) throw new Problem('message_not_found')
      return {
        ...messageView(found.row),
        attempts: found.attempts.map(({ number, at, host, outcome, reply, conversation }) => ({
          number,
          at: at.toISOString(),
          host,
          outcome,
          reply,
          conversation,
        })),
      }
    },
  )
}

function messageView(row: OutgoingRow) {
  return {
    id: row.id,
    inbox_id: row.inbox_id,
    origin: row.origin,
    sender: row.author,
    recipient: row.recipient,
    message_id: row.message_id,
    state: row.state,
    last_reply: row.last_reply,
    created_at: row.created_at.toISOString(),
    next_attempt_at: row.finished_at === null ? row.next_at.toISOString() : null,
    finished_at: row.finished_at?.toISOString() ?? null,
  }
}
