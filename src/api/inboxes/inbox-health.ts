import type { ApiKey } from '#store/api-keys.ts'
import { claimOf } from '#store/domains.ts'
import { readInboxHealth } from '#store/inbox-health.ts'
import type { InboxRow } from '#store/inboxes.ts'
import { findSmtpAccount } from '#store/smtp-accounts.ts'
import { sendingOf } from '../domains/domain-views.ts'
import { loadDomainOf } from '../domains/load-domain.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { inboxParams, SUCCESS } from '../http/shapes.ts'
import { inboxHealth, inboxTest } from './answers.ts'
import { pauseOf } from './inbox-views.ts'
import { loadInbox } from './load-inbox.ts'

const CHECK_LIMIT_MS = 20_000

/** GET /sender-accounts/{inbox_id}/health, and POST …/test, which asks the services now. */
export function inboxHealthRoutes(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${API_PREFIX}/sender-accounts/:inbox_id/health`,
    {
      schema: {
        operationId: 'getInboxHealth',
        summary: 'Shows limits, bounces, complaints and authentication of an inbox',
        params: inboxParams,
        response: { 200: inboxHealth },
        problems: ['sender_account_not_found'],
      },
      ...needs(context, 'sender_accounts:read'),
    },
    async (request) => {
      const inbox = await loadInbox(store, keyOf(request), request.params.inbox_id)
      const health = await readInboxHealth(store, inbox)
      const { judgement, lastError } = health
      return {
        ...SUCCESS,
        message: 'Health retrieved successfully',
        inbox_id: inbox.id,
        email_address: inbox.address,
        overall_status: inbox.status,
        pause: pauseOf(inbox),
        daily_limit: inbox.daily_limit,
        sent_last_24_hours: health.sentLastDay,
        remaining: Math.max(0, inbox.daily_limit - health.sentLastDay),
        last_30_days: {
          sent: health.sent,
          bounced: health.bounced,
          complained: health.complained,
        },
        last_error: lastError && { ...lastError, at: lastError.at.toISOString() },
        authentication: judgement && {
          spf: judgement.spf.result,
          dkim: judgement.dkim.result,
          dmarc: judgement.dmarc.result,
        },
      }
    },
  )
  app.post(
    `${API_PREFIX}/sender-accounts/:inbox_id/test`,
    {
      schema: {
        operationId: 'testInbox',
        summary: 'Asks the services whether an inbox can send and receive',
        params: inboxParams,
        response: { 200: inboxTest },
        problems: ['sender_account_not_found', 'provider_refused', 'provider_unavailable'],
      },
      ...needs(context, 'sender_accounts:update'),
    },
    async (request) => {
      const key = keyOf(request)
      const inbox = await loadInbox(store, key, request.params.inbox_id)
      const checks = await (inbox.domain_id === null
        ? checksElsewhere(context, inbox)
        : checksOf(context, key, inbox))
      const works = checks.every(({ passed }) => passed)
      return {
        ...SUCCESS,
        message: works ? 'The inbox can send and receive.' : 'The inbox cannot send and receive.',
        inbox_id: inbox.id,
        works,
        checks,
      }
    },
  )
}

async function checksOf(context: ApiContext, key: ApiKey, inbox: InboxRow) {
  const { store } = context
  const { row, conditions } = await loadDomainOf(store, key, inbox)
  const [claim, signal] = [await claimOf(store, row), AbortSignal.timeout(CHECK_LIMIT_MS)]
  const mailboxes = await context.mailbox(row).listMailboxes(claim, signal)
  const identities = await context.sender(row).identities?.list(claim, signal)
  return [
    check('domain', sendingOf(row, conditions, context.now()).allowed, 'The domain may send'),
    check('inbox', inbox.status === 'ACTIVE', 'The inbox is active'),
    check('mailbox', mailboxes.includes(inbox.localpart), 'The mailbox service has its mailbox'),
    ...(identities
      ? [check('identity', identities.includes(inbox.localpart), 'The sender service knows it')]
      : []),
  ]
}

/** An inbox at another provider: whether its log-ins work now. */
async function checksElsewhere(context: ApiContext, inbox: InboxRow) {
  const account = await findSmtpAccount(context.store, inbox.id)
  if (!account) throw new Problem('sender_account_not_found')
  const results = await context.tryLogIns(inbox.world, account)
  return [
    check('inbox', inbox.status === 'ACTIVE', 'The inbox is active'),
    ...results.map(({ protocol, failure }) => ({
      check: protocol,
      passed: failure === undefined,
      message: failure === undefined ? 'The log-in works.' : `The log-in fails: ${failure}.`,
    })),
  ]
}

const check = (name: string, passed: boolean, claim: string) => ({
  check: name,
  passed,
  message: passed ? `${claim}.` : `Not so: ${claim.toLowerCase()}.`,
})
