import { z } from 'zod'
import { isOfInstallation } from '#store/api-keys.ts'
import { createWorkspace, listWorkspaces, type WorkspaceRow } from '#store/workspaces.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { headerText, pagination, paging, SUCCESS } from '../http/shapes.ts'
import { workspaceList, workspaceMade } from '../keys/answers.ts'

const path = `${API_PREFIX}/workspaces`
const body = z.object({
  name: headerText
    .min(1)
    .max(255)
    .describe('A name for you to recognise the workspace by.')
    .meta({ examples: ['Acme'] }),
})
const querystring = z.object(paging)

/** GET and POST /workspaces: for the installation's own keys. */
export function workspaceRoutes(app: Http, context: ApiContext): void {
  const { store } = context
  const add = {
    schema: {
      operationId: 'addWorkspace',
      summary: 'Creates a workspace with its first key, and shows the key once',
      description:
        'For keys of the first workspace with the scope `*`. The first key expires with the calling key.',
      body,
      response: { 201: workspaceMade },
      problems: ['installation_key_required'] as const,
    },
    ...needs(context),
  }
  app.post(path, add, async (request, reply) => {
    const caller = ofInstallation(request)
    const made = await createWorkspace(store, caller, request.body.name)
    if (!made) throw new Problem('api_key_invalid')
    const said = { ...SUCCESS, message: 'Workspace made. Its key is shown this once.' }
    return reply.status(201).send({
      ...said,
      ...view(made.workspace),
      world: caller.world,
      key_id: made.keyId,
      key: made.key,
      expires_at: made.expiresAt?.toISOString() ?? null,
    })
  })
  const list = {
    schema: {
      operationId: 'listWorkspaces',
      summary: 'Lists the workspaces of the installation, the newest first',
      description: 'For keys of the first workspace with the scope `*`.',
      querystring,
      response: { 200: workspaceList },
      problems: ['installation_key_required'] as const,
    },
    ...needs(context),
  }
  app.get(path, list, async (request) => {
    ofInstallation(request)
    const { rows, total } = await listWorkspaces(store, request.query)
    return {
      ...SUCCESS,
      message: 'Workspaces retrieved successfully',
      workspaces: rows.map(view),
      pagination: pagination(request.query, total),
    }
  })
}

function ofInstallation(request: object) {
  const key = keyOf(request)
  if (!isOfInstallation(key)) throw new Problem('installation_key_required')
  return key
}

const view = ({ id, name, created_at }: WorkspaceRow) => ({
  workspace_id: id,
  name,
  created_at: created_at.toISOString(),
})
