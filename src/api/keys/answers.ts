/**
 * The shapes of answers about keys, for OpenAPI and clients. They do not serialise answers: tests check that
 * answers have these shapes.
 */
import { z } from 'zod'
import { answerFields, instant, pagination } from '../openapi/parts.ts'
import { components } from '../openapi/schema.ts'

const keyFields = {
  key_id: z.uuid(),
  name: z.string(),
  scopes: z.array(z.string()),
  expires_at: instant.nullable(),
  created_at: instant,
}

export const keyMade = z
  .object({ ...answerFields, ...keyFields, key: z.string().describe('Shown this once.') })
  .register(components, { id: 'KeyMade' })

const shownFields = {
  ...keyFields,
  last_used_at: instant.nullable(),
  created_by_key_id: z
    .uuid()
    .nullable()
    .describe('The key that created it; null if the operator did.'),
}

export const keyList = z
  .object({
    ...answerFields,
    keys: z.array(z.object(shownFields).register(components, { id: 'Key' })),
    pagination,
  })
  .register(components, { id: 'KeyList' })

export const keyShown = z
  .object({ ...answerFields, ...shownFields })
  .register(components, { id: 'KeyShown' })

export const keyRevoked = z
  .object({
    ...answerFields,
    key_id: z.uuid(),
    descendants_revoked: z
      .int()
      .describe(
        'How many of its descendants were revoked with it: the keys it created, and the keys those created.',
      ),
    descendants_left: z
      .int()
      .describe('How many of its descendants still work; `descendants=true` revokes them too.'),
  })
  .register(components, { id: 'KeyRevoked' })

const workspaceFields = { workspace_id: z.uuid(), name: z.string(), created_at: instant }

export const workspaceMade = z
  .object({
    ...answerFields,
    ...workspaceFields,
    world: z.enum(['live', 'sandbox']).describe('The world of the calling key.'),
    key_id: z.uuid(),
    key: z.string().describe('Shown this once.'),
    expires_at: instant.nullable().describe('When the key expires.'),
  })
  .register(components, { id: 'WorkspaceMade' })

export const workspaceList = z
  .object({ ...answerFields, workspaces: z.array(z.object(workspaceFields)), pagination })
  .register(components, { id: 'WorkspaceList' })

export const workspace = z
  .object({
    ...answerFields,
    ...workspaceFields,
    world: z.enum(['live', 'sandbox']),
  })
  .register(components, { id: 'Workspace' })
