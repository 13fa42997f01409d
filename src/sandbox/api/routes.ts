/** The sandbox's own API. */
import type { Http } from '#api/http/http.ts'
import type { SandboxContext } from './context.ts'
import { mailRoutes } from './mail.ts'
import { outcomeRoutes } from './outcomes.ts'
import { registrarRoutes } from './registrar.ts'

export function sandboxRoutes(app: Http, context: SandboxContext): void {
  for (const route of [registrarRoutes, outcomeRoutes, mailRoutes]) route(app, context)
}
