import type { FastifyRequest } from 'fastify'
import { Problem } from '#api/http/problems.ts'
import type { AttemptResult } from '#mail/outgoing/mail.ts'
import type { ApiKey } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import type { OutsideMail } from '../postbox.ts'

export const SANDBOX_PREFIX = '/api/sandbox/v1'

/** The context of the sandbox's own calls. */
export type SandboxContext = {
  store: StoreContext
  authorize(request: FastifyRequest): Promise<ApiKey>
  /** Reserved names: the platform's and the sandbox's mail domains. */
  reserved: readonly string[]
  /** Updates the parent zones from the rows. */
  republish(): Promise<void>
  /** Updates the outcomes of the parent's servers from the rows. */
  reloadOutcomes(): Promise<void>
  sendFromOutside(mail: OutsideMail): Promise<AttemptResult>
}

/** These calls accept test keys only. */
export function sandboxKey({ authorize }: SandboxContext) {
  return {
    onRequest: async (request: FastifyRequest): Promise<void> => {
      const key = await authorize(request)
      if (key.world !== 'sandbox') throw new Problem('test_key_required')
    },
  }
}
