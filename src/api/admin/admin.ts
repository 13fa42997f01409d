/** The admin socket: access to the data directory replaces a key. */
import { chmod, rm } from 'node:fs/promises'
import type { Logger } from 'pino'
import { z } from 'zod'
import { createApiKey } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import { abandonRemoval, orphansOf } from '#store/remove-domain.ts'
import { hasWorkspace } from '#store/workspaces.ts'
import { createHttp } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { scopes } from '../http/scopes.ts'
import { domainParams } from '../http/shapes.ts'
import { sendingRoutes } from './sending.ts'

const body = z.object({
  name: z.string().min(1).max(255),
  world: z.enum(['live', 'sandbox']),
  scopes,
  workspace_id: z.uuid(),
})

export type AdminOptions = {
  path: string
  store: StoreContext
  logger: Logger
  isDatabaseAway(error: unknown): boolean
}

/** Listens on a Unix socket that only the owner of the process may open. */
export async function startAdmin({
  path,
  store,
  logger,
  isDatabaseAway,
}: AdminOptions): Promise<AsyncDisposable> {
  await rm(path, { force: true })
  const app = createHttp({ logger, isOurHost: () => true, isDatabaseAway })
  app.post('/keys', { schema: { body } }, async (request, reply) => {
    const { name, world, scopes, workspace_id } = request.body
    if (!(await hasWorkspace(store, workspace_id))) throw new Problem('workspace_not_found')
    const { keyId, key } = await createApiKey(store, {
      workspaceId: workspace_id,
      world,
      name,
      scopes,
    })
    return reply.status(201).send({ key_id: keyId, key, name, world, scopes })
  })
  app.get('/orphans', async () => ({ orphans: await orphansOf(store) }))
  app.post(
    '/removals/:domain_id/abandon',
    { schema: { params: domainParams } },
    async (request) => {
      const orphans = await abandonRemoval(store, request.params.domain_id)
      if (orphans === undefined) throw new Problem('removal_not_found')
      return { orphans }
    },
  )
  sendingRoutes(app, store, logger)
  await app.listen({ path })
  await chmod(path, 0o600)
  return { [Symbol.asyncDispose]: () => app.close() }
}
