/** The scopes that a key can have. Some are for parts of the API that are only planned. */
import { z } from 'zod'

const ACTIONS = {
  domains: ['create', 'read', 'update', 'delete'],
  sender_accounts: ['create', 'read', 'update', 'delete'],
  app_passwords: ['create', 'read', 'delete'],
  campaigns: ['create', 'read', 'update', 'delete', 'pause', 'activate'],
  leads: ['create', 'read', 'delete'],
  replies: ['create', 'read', 'update'],
  suppressions: ['create', 'read', 'delete'],
  events: ['read'],
  webhooks: ['create', 'read', 'update', 'delete'],
  keys: ['create', 'read', 'delete'],
} as const

type Resource = keyof typeof ACTIONS

/** The scope that a route requires. */
export type Scope = { [R in Resource]: `${R}:${(typeof ACTIONS)[R][number]}` }[Resource]

/** The scopes of keys: those of routes, `all` for a resource, and `*` for everything. */
export const SCOPES: readonly string[] = [
  '*',
  ...Object.entries(ACTIONS).flatMap(([resource, actions]) =>
    [...actions, 'all'].map((action) => `${resource}:${action}`),
  ),
]

/** The list of scopes in a request. The error names the first unknown scope. */
export const scopes = z
  .array(z.string().regex(/^(\*|[a-z_]+:[a-z]+)$/))
  .min(1)
  .max(50)
  .superRefine((written, check) => {
    for (const [index, scope] of written.entries()) {
      if (!SCOPES.includes(scope)) check.addIssue(unknownScope(scope, index))
    }
  })
  .meta({
    examples: [['domains:read', 'replies:all']],
    items: { type: 'string', enum: SCOPES },
  })

const unknownScope = (scope: string, index: number) => ({
  code: 'custom' as const,
  path: [index],
  message: `there is no scope ${scope}; there are ${SCOPES.join(', ')}`,
  params: { type: 'type_error.enum' },
})
