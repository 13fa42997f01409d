import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mailFrom, senderDriverConformance } from './conformance.ts'
import { excuses } from './embedded/excuses.ts'
import { memorySenderDriver } from './memory.ts'

const CLAIM = { claimId: 'claim-1', name: 'conformance.example', nameservers: [] }
const NO_DNS = 'it looks at no DNS and is content with every registered domain'

senderDriverConformance(
  'memory',
  async () => ({
    driver: memorySenderDriver(),
    claim: CLAIM,
    rival: { ...CLAIM, claimId: 'claim-2' },
    async publish() {},
    async silence() {},
    async [Symbol.asyncDispose]() {},
  }),
  {
    ...excuses,
    'verifyDomain waits, with a reason, while nothing is published': NO_DNS,
    'verifyDomain waits while only another claim’s records are published': NO_DNS,
    'verifyDomain sees that records are gone again': NO_DNS,
    'verifyDomain throws when it could not ask': NO_DNS,
  },
)

test('what was sent can be looked at, and what was refused is not among it', async ({ signal }) => {
  const driver = memorySenderDriver()
  const mail = await mailFrom(driver, CLAIM)
  await assert.rejects(driver.send(CLAIM, mail, signal))
  await driver.ensureDomain(CLAIM, signal)
  await assert.rejects(driver.send(CLAIM, mail, AbortSignal.abort()))
  assert.deepEqual(driver.sent, [])
  await driver.send(CLAIM, mail, signal)
  assert.deepEqual(driver.sent, [mail])
})
