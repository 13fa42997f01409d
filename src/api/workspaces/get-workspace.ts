import { findWorkspace } from '#store/api-keys.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { keyOf, needs } from '../http/route.ts'
import { SUCCESS } from '../http/shapes.ts'
import { workspace } from '../keys/answers.ts'

/** GET /workspace: the workspace and world of the key. Any key may ask. */
export function getWorkspaceRoute(app: Http, context: ApiContext): void {
  app.get(
    `${API_PREFIX}/workspace`,
    {
      schema: {
        operationId: 'getWorkspace',
        summary: 'Tells whose key this is, and which world it acts in',
        response: { 200: workspace },
      },
      ...needs(context),
    },
    async (request) => {
      const { workspaceId, world } = keyOf(request)
      const { id, name, created_at } = await findWorkspace(context.store, workspaceId)
      return {
        ...SUCCESS,
        message: 'Workspace retrieved successfully',
        workspace_id: id,
        name,
        world,
        created_at: created_at.toISOString(),
      }
    },
  )
}
