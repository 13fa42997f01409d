/**
 * The shapes of answers about keys, for those who program against them. Nothing is written through them: that what
 * is answered has these shapes is tested.
 */
import { z } from 'zod'
import { instant, pagination, said } from './parts.ts'
import { components } from './schema.ts'

const keyFields = {
  key_id: z.uuid(),
  name: z.string(),
  scopes: z.array(z.string()),
  expires_at: instant.nullable(),
  created_at: instant,
}

export const keyMade = z
  .object({ ...said, ...keyFields, key: z.string().describe('Shown this once.') })
  .register(components, { id: 'KeyMade' })

export const keyList = z
  .object({
    ...said,
    keys: z.array(
      z
        .object({ ...keyFields, last_used_at: instant.nullable() })
        .register(components, { id: 'Key' }),
    ),
    pagination,
  })
  .register(components, { id: 'KeyList' })

export const keyRevoked = z
  .object({ ...said, key_id: z.uuid() })
  .register(components, { id: 'KeyRevoked' })

export const workspace = z
  .object({
    ...said,
    workspace_id: z.uuid(),
    name: z.string(),
    world: z.enum(['live', 'sandbox']),
    created_at: instant,
  })
  .register(components, { id: 'Workspace' })
