/** The HTTP server of the public API, and of a sandbox's. */
import type { Endpoint } from '#names/ip.ts'
import { getAttachmentRoute } from '../conversations/get-attachment.ts'
import { getMailRoute } from '../conversations/get-mail.ts'
import { listRepliesRoute } from '../conversations/list-replies.ts'
import { replyRoute } from '../conversations/reply.ts'
import { threadMessagesRoute } from '../conversations/thread-messages.ts'
import { getThreadRoute, noteThreadRoutes } from '../conversations/threads.ts'
import { activateDomainRoute } from '../domains/activate-domain.ts'
import { addDomainRoute } from '../domains/add-domain.ts'
import { checkDomainRoute } from '../domains/check-domain.ts'
import { cutZoneRoute } from '../domains/cut-zone.ts'
import { deleteDomainRoute } from '../domains/delete-domain.ts'
import { deleteRedirectRoute } from '../domains/delete-redirect.ts'
import { getDmarcRoute } from '../domains/get-dmarc.ts'
import { getDomainRoute } from '../domains/get-domain.ts'
import { getProgressRoute } from '../domains/get-progress.ts'
import { getRedirectRoute } from '../domains/get-redirect.ts'
import { getRemovalRoute } from '../domains/get-removal.ts'
import { getZoneRoute } from '../domains/get-zone.ts'
import { importRoutes } from '../domains/import.ts'
import { listDomainsRoute } from '../domains/list-domains.ts'
import { listEventsRoute } from '../domains/list-events.ts'
import { recordRoutes } from '../domains/records.ts'
import { rotateDkimRoute } from '../domains/rotate-dkim.ts'
import { setRedirectRoute } from '../domains/set-redirect.ts'
import { feedRoute } from '../events/feed.ts'
import { addInboxRoute } from '../inboxes/add-inbox.ts'
import { addSmtpInboxRoute } from '../inboxes/add-smtp-inbox.ts'
import { appPasswordRoutes } from '../inboxes/app-passwords.ts'
import { bulkAddRoutes } from '../inboxes/bulk-add.ts'
import { bulkDeleteRoute } from '../inboxes/bulk-delete.ts'
import { exportInboxesRoute } from '../inboxes/export-inboxes.ts'
import { inboxHealthRoutes } from '../inboxes/inbox-health.ts'
import { listInboxesRoute } from '../inboxes/list-inboxes.ts'
import { oneInboxRoutes } from '../inboxes/one-inbox.ts'
import { sendTestEmailRoute } from '../inboxes/send-test-email.ts'
import { addKeyRoute } from '../keys/add-key.ts'
import { deleteKeyRoute } from '../keys/delete-key.ts'
import { getKeyRoute } from '../keys/get-key.ts'
import { listKeysRoute } from '../keys/list-keys.ts'
import { messagesRoutes } from '../messages/messages.ts'
import { receiveEventsRoute } from '../messages/receive-events.ts'
import { describeApi } from '../openapi/document.ts'
import { openapiRoutes } from '../openapi/routes.ts'
import { suppressionRoutes } from '../suppressions/suppressions.ts'
import { unsubscribeRoutes } from '../unsubscribe/unsubscribe.ts'
import { getWorkspaceRoute } from '../workspaces/get-workspace.ts'
import { workspaceRoutes } from '../workspaces/workspaces.ts'
import type { ApiContext } from './context.ts'
import { type HealthOptions, healthRoutes } from './health.ts'
import { createHttp, type Http, type HttpOptions } from './http.ts'
import { answerOnce } from './idempotency.ts'
import { limitRequests } from './rate-limit.ts'

const ROUTES = [
  addDomainRoute,
  listDomainsRoute,
  listEventsRoute,
  feedRoute,
  checkDomainRoute,
  getZoneRoute,
  recordRoutes,
  importRoutes,
  getDomainRoute,
  getDmarcRoute,
  activateDomainRoute,
  rotateDkimRoute,
  getProgressRoute,
  deleteDomainRoute,
  getRemovalRoute,
  getRedirectRoute,
  setRedirectRoute,
  deleteRedirectRoute,
  addInboxRoute,
  addSmtpInboxRoute,
  listInboxesRoute,
  oneInboxRoutes,
  bulkAddRoutes,
  bulkDeleteRoute,
  inboxHealthRoutes,
  appPasswordRoutes,
  exportInboxesRoute,
  sendTestEmailRoute,
  suppressionRoutes,
  listRepliesRoute,
  getThreadRoute,
  noteThreadRoutes,
  threadMessagesRoute,
  getAttachmentRoute,
  replyRoute,
  messagesRoutes,
  getMailRoute,
  receiveEventsRoute,
  unsubscribeRoutes,
  addKeyRoute,
  listKeysRoute,
  getKeyRoute,
  deleteKeyRoute,
  getWorkspaceRoute,
  cutZoneRoute,
  workspaceRoutes,
]

export type ApiOptions = HttpOptions & {
  listen: Endpoint
  context: ApiContext
  /** Adds the routes of a sandbox. */
  addRoutes: ((app: Http) => void) | undefined
  health: HealthOptions
}

/** How long open requests may take at a stop; then their connections are closed. */
const STOP_LIMIT_MS = 5000

/** Listens; disposing it lets open requests end. */
export async function startApi(options: ApiOptions): Promise<AsyncDisposable & Endpoint> {
  const app = createHttp(options)
  healthRoutes(app, options.health)
  openapiRoutes(app, describeApi(app))
  limitRequests(app, options.context)
  answerOnce(app, options.context)
  for (const route of ROUTES) route(app, options.context)
  options.addRoutes?.(app)
  await app.listen({ host: options.listen.address, port: options.listen.port })
  const bound = app.server.address()
  const port = typeof bound === 'object' && bound ? bound.port : options.listen.port
  return {
    address: options.listen.address,
    port,
    async [Symbol.asyncDispose]() {
      const limit = setTimeout(() => app.server.closeAllConnections(), STOP_LIMIT_MS)
      await app.close()
      clearTimeout(limit)
    },
  }
}
