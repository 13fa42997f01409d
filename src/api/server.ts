/** The public API and the sandbox's, in one HTTP server. */
import type { Endpoint } from '#names/ip.ts'
import type { ApiContext } from './context.ts'
import { createHttp, type HttpOptions } from './http.ts'
import { activateDomainRoute } from './routes/activate-domain.ts'
import { addDomainRoute } from './routes/add-domain.ts'
import { addInboxRoute } from './routes/add-inbox.ts'
import { deleteDomainRoute } from './routes/delete-domain.ts'
import { getDomainRoute } from './routes/get-domain.ts'
import { getProgressRoute } from './routes/get-progress.ts'
import { getRemovalRoute } from './routes/get-removal.ts'
import { type HealthOptions, healthRoutes } from './routes/health.ts'
import { listDomainsRoute } from './routes/list-domains.ts'
import { listInboxesRoute } from './routes/list-inboxes.ts'
import { listRepliesRoute } from './routes/list-replies.ts'
import { receiveEventsRoute } from './routes/receive-events.ts'
import { sendTestEmailRoute } from './routes/send-test-email.ts'
import type { SandboxContext } from './sandbox/context.ts'
import { mailRoutes } from './sandbox/mail.ts'
import { outcomeRoutes } from './sandbox/outcomes.ts'
import { registrarRoutes } from './sandbox/registrar.ts'

const ROUTES = [
  addDomainRoute,
  listDomainsRoute,
  getDomainRoute,
  activateDomainRoute,
  getProgressRoute,
  deleteDomainRoute,
  getRemovalRoute,
  addInboxRoute,
  listInboxesRoute,
  sendTestEmailRoute,
  listRepliesRoute,
  receiveEventsRoute,
]
const SANDBOX_ROUTES = [registrarRoutes, outcomeRoutes, mailRoutes]

export type ApiOptions = HttpOptions & {
  listen: Endpoint
  context: ApiContext
  /** Absent where the sandbox is off: its calls then answer 403 or 404. */
  sandbox: SandboxContext | undefined
  health: HealthOptions
}

/** Listens; disposing it lets the requests under way end. */
export async function startApi(options: ApiOptions): Promise<AsyncDisposable & Endpoint> {
  const app = createHttp(options)
  healthRoutes(app, options.health)
  for (const route of ROUTES) route(app, options.context)
  if (options.sandbox) for (const route of SANDBOX_ROUTES) route(app, options.sandbox)
  await app.listen({ host: options.listen.address, port: options.listen.port })
  const bound = app.server.address()
  const port = typeof bound === 'object' && bound ? bound.port : options.listen.port
  return { address: options.listen.address, port, [Symbol.asyncDispose]: () => app.close() }
}
