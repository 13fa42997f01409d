import { z } from 'zod'
import { compose } from '#mail/outgoing/compose.ts'
import { claimOf } from '#store/domains.ts'
import { unsubscribeUrl } from '#store/unsubscriptions.ts'
import { loadDomainOf } from '../domains/load-domain.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { emailAddress, inboxParams, SUCCESS } from '../http/shapes.ts'
import { testEmail } from './answers.ts'
import { loadInbox } from './load-inbox.ts'
import { asProblem, mustSend } from './sending.ts'

const body = z.object({
  recipient_email: emailAddress.describe(
    'The recipient; in the sandbox an address at `inbox.test`.',
  ),
  unsubscribe_link: z
    .boolean()
    .nullish()
    .describe('Whether the recipient can unsubscribe with one click, as from a campaign.'),
})

const SEND_LIMIT_MS = 20_000

/** POST /sender-accounts/{inbox_id}/test-email: one message from the inbox, handed to its sender. */
export function sendTestEmailRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/sender-accounts/:inbox_id/test-email`,
    {
      schema: {
        operationId: 'sendTestEmail',
        summary: 'Sends one message from an inbox',
        params: inboxParams,
        body,
        response: { 200: testEmail },
        problems: [
          'sender_account_not_found',
          'inbox_is_elsewhere',
          'domain_not_active',
          'all_sending_stopped',
          'sending_stopped',
          'inbox_not_ready',
          'inbox_paused',
          'sending_limit_reached',
          'recipient_suppressed',
          'public_url_not_configured',
          'provider_refused',
          'provider_unavailable',
        ],
      },
      ...needs(context, 'sender_accounts:update'),
    },
    async (request) => {
      const key = keyOf(request)
      const inbox = await loadInbox(store, key, request.params.inbox_id)
      const { row, conditions } = await loadDomainOf(store, key, inbox)
      mustSend(inbox, row, conditions, context.now())
      const recipient = request.body.recipient_email.toLowerCase()
      const { publicUrl } = context
      const hasLink = request.body.unsubscribe_link === true
      if (hasLink && publicUrl === undefined) throw new Problem('public_url_not_configured')
      const unsubscribe = (messageId: string) =>
        unsubscribeUrl(store.vault, publicUrl!, key, { messageId, recipient })
      const mail = await compose(
        {
          origin: 'test',
          inboxId: inbox.id,
          author: { localpart: inbox.localpart, displayName: inbox.display_name },
          recipient,
          subject: `Test message from ${inbox.address}`,
          text: `This is a test message from ${inbox.address}.\n`,
          unsubscribeUrl: hasLink ? unsubscribe : undefined,
        },
        row.name,
      )
      const claim = await claimOf(store, row)
      const limit = AbortSignal.timeout(SEND_LIMIT_MS)
      await context.sender(row).send(claim, mail, limit).catch(asProblem)
      return {
        ...SUCCESS,
        message: 'The test message was handed over for delivery.',
        inbox_id: inbox.id,
        inbox_email: inbox.address,
        recipient_email: recipient,
        sent_at: context.now().toISOString(),
        message_id: mail.messageId,
      }
    },
  )
}
