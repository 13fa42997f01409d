import type { FastifyRequest } from 'fastify'
import type { AttemptResult } from '#mail/outgoing/mail.ts'
import type { OutsideMail } from '#sandbox/postbox.ts'
import type { ApiKey } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import { Problem } from '../http/problems.ts'

export const SANDBOX_PREFIX = '/api/sandbox/v1'

/** What the sandbox's own calls work with. */
export type SandboxContext = {
  store: StoreContext
  authorize(request: FastifyRequest): Promise<ApiKey>
  /** Names nobody may register: the platform's and the sandbox's mail domains. */
  reserved: readonly string[]
  /** Brings the parent zones in step with the rows. */
  republish(): Promise<void>
  /** Brings the misbehaving of the parent's servers in step with the rows. */
  reloadOutcomes(): Promise<void>
  sendFromOutside(mail: OutsideMail): Promise<AttemptResult>
}

/** These calls take test keys only. */
export function sandboxKey({ authorize }: SandboxContext) {
  return {
    onRequest: async (request: FastifyRequest): Promise<void> => {
      const key = await authorize(request)
      if (key.world !== 'sandbox') throw new Problem('test_key_required')
    },
  }
}
