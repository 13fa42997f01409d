/** The public API and the sandbox's, in one HTTP server. */
import type { Endpoint } from '#names/ip.ts'
import type { ApiContext } from './context.ts'
import { createHttp, type HttpOptions } from './http.ts'
import { answerOnce } from './idempotency.ts'
import { describeApi } from './openapi/document.ts'
import { openapiRoutes } from './openapi/routes.ts'
import { limitRequests } from './rate-limit.ts'
import { activateDomainRoute } from './routes/activate-domain.ts'
import { addDomainRoute } from './routes/add-domain.ts'
import { addInboxRoute } from './routes/add-inbox.ts'
import { addKeyRoute } from './routes/add-key.ts'
import { checkDomainRoute } from './routes/check-domain.ts'
import { cutZoneRoute } from './routes/cut-zone.ts'
import { deleteDomainRoute } from './routes/delete-domain.ts'
import { deleteKeyRoute } from './routes/delete-key.ts'
import { deleteRedirectRoute } from './routes/delete-redirect.ts'
import { feedRoute } from './routes/feed.ts'
import { getDomainRoute } from './routes/get-domain.ts'
import { getKeyRoute } from './routes/get-key.ts'
import { getMailRoute } from './routes/get-mail.ts'
import { getProgressRoute } from './routes/get-progress.ts'
import { getRedirectRoute } from './routes/get-redirect.ts'
import { getRemovalRoute } from './routes/get-removal.ts'
import { getWorkspaceRoute } from './routes/get-workspace.ts'
import { getZoneRoute } from './routes/get-zone.ts'
import { type HealthOptions, healthRoutes } from './routes/health.ts'
import { importRoutes } from './routes/import.ts'
import { listDomainsRoute } from './routes/list-domains.ts'
import { listEventsRoute } from './routes/list-events.ts'
import { listInboxesRoute } from './routes/list-inboxes.ts'
import { listKeysRoute } from './routes/list-keys.ts'
import { listRepliesRoute } from './routes/list-replies.ts'
import { messagesRoutes } from './routes/messages.ts'
import { receiveEventsRoute } from './routes/receive-events.ts'
import { recordRoutes } from './routes/records.ts'
import { rotateDkimRoute } from './routes/rotate-dkim.ts'
import { sendTestEmailRoute } from './routes/send-test-email.ts'
import { setRedirectRoute } from './routes/set-redirect.ts'
import { workspaceRoutes } from './routes/workspaces.ts'
import type { SandboxContext } from './sandbox/context.ts'
import { mailRoutes } from './sandbox/mail.ts'
import { outcomeRoutes } from './sandbox/outcomes.ts'
import { registrarRoutes } from './sandbox/registrar.ts'

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
  activateDomainRoute,
  rotateDkimRoute,
  getProgressRoute,
  deleteDomainRoute,
  getRemovalRoute,
  getRedirectRoute,
  setRedirectRoute,
  deleteRedirectRoute,
  addInboxRoute,
  listInboxesRoute,
  sendTestEmailRoute,
  listRepliesRoute,
  messagesRoutes,
  getMailRoute,
  receiveEventsRoute,
  addKeyRoute,
  listKeysRoute,
  getKeyRoute,
  deleteKeyRoute,
  getWorkspaceRoute,
  cutZoneRoute,
  workspaceRoutes,
]
const SANDBOX_ROUTES = [registrarRoutes, outcomeRoutes, mailRoutes]

export type ApiOptions = HttpOptions & {
  listen: Endpoint
  context: ApiContext
  /** Absent where the sandbox is off: its calls then answer 403 or 404. */
  sandbox: SandboxContext | undefined
  health: HealthOptions
}

/** How long requests under way may take to end at a stop; then their connections are closed. */
const STOP_LIMIT_MS = 5000

/** Listens; disposing it lets the requests under way end. */
export async function startApi(options: ApiOptions): Promise<AsyncDisposable & Endpoint> {
  const app = createHttp(options)
  healthRoutes(app, options.health)
  openapiRoutes(app, describeApi(app))
  limitRequests(app, options.context)
  answerOnce(app, options.context)
  for (const route of ROUTES) route(app, options.context)
  if (options.sandbox) for (const route of SANDBOX_ROUTES) route(app, options.sandbox)
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
