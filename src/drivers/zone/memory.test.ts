import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zoneDriverConformance } from './conformance.ts'
import type { RRset } from './contract.ts'
import { excuses } from './embedded/excuses.ts'
import { memoryZoneDriver } from './memory.ts'

const CLAIM = {
  claimId: 'claim-1',
  name: 'conformance.example',
  nameservers: ['ada.ns.example', 'kit.ns.example'],
}
const RIVAL = { ...CLAIM, claimId: 'claim-2', nameservers: ['bob.ns.example', 'kit.ns.example'] }

zoneDriverConformance(
  'memory',
  async () => ({
    driver: memoryZoneDriver(),
    claim: CLAIM,
    rival: RIVAL,
    async [Symbol.asyncDispose]() {},
  }),
  {
    ...excuses,
    'the host’s own nameservers answer what was put, with authority': 'It has no nameservers.',
    'the host’s own nameservers answer a change, and nothing once the zone is removed':
      'It has no nameservers.',
  },
)

test('what is put and what is read are copies', async ({ signal }) => {
  const driver = memoryZoneDriver()
  const data = ['a']
  const put: RRset = { name: 'conformance.example.', type: 'TXT', ttl: 300, data }
  await driver.ensureZone(CLAIM, signal)
  await driver.changeZone(CLAIM, [{ put }], signal)
  data.push('b')
  const read = await driver.readZone(CLAIM, signal)
  assert.deepEqual(read, [{ ...put, data: ['a'] }])
  Object.assign(read[0]!, { ttl: 1 })
  assert.deepEqual(await driver.readZone(CLAIM, signal), [{ ...put, data: ['a'] }])
})
