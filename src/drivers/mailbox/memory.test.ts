import { mailboxDriverConformance } from './conformance.ts'
import { excuses } from './embedded/excuses.ts'
import { memoryMailboxDriver } from './memory.ts'

const CLAIM = { claimId: 'claim-1', name: 'conformance.example', nameservers: [] }

mailboxDriverConformance(
  'memory',
  async () => ({
    driver: memoryMailboxDriver(),
    claim: CLAIM,
    rival: { ...CLAIM, claimId: 'claim-2' },
    async [Symbol.asyncDispose]() {},
  }),
  excuses,
)
