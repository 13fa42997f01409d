import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '#config/settings.ts'
import { LABORATORY } from '../../test/api/live.ts'
import { liveWorld } from './worlds.ts'

const [OWN, HINT, OTHER] = ['127.0.14.2', '127.0.14.3', '127.0.14.4']

const worldWith = (settings: Record<string, string> = {}) =>
  liveWorld(
    readConfig({
      ...LABORATORY,
      MAILSTEAD_DNS_LISTEN: `${OWN}:5311`,
      MAILSTEAD_ROOT_HINTS: `${HINT}:5312`,
      ...settings,
    }),
    () => 0,
  )

/** Whether the address may be asked though this process has no share of the pace. */
const isSpared = (settings: Record<string, string>, address: string): Promise<boolean> =>
  worldWith(settings)
    .pace(address, 'asked', AbortSignal.timeout(30))
    .then(
      () => true,
      () => false,
    )

// biome-ignore format: a table
const SPARED: [what: string, settings: Record<string, string>, address: string, isSo: boolean][] = [
  ['our own nameservers',                       {},                                                OWN,   true],
  ['not others',                                {},                                                OTHER, false],
  ['nor the root',                              {},                                                HINT,  false],
  ['nor our own where they are the root, too',  { MAILSTEAD_ROOT_HINTS: `${OWN}:5311` },           OWN,   false],
  ['what the pool resolves to',                 { MAILSTEAD_NAMESERVER_ADDRESSES: OTHER },         OTHER, true],
]

for (const [what, settings, address, isSo] of SPARED) {
  test(`asked without the pace: ${what}`, async () => {
    assert.equal(await isSpared(settings, address), isSo)
  })
}

test('in a laboratory our own nameservers and the root are asked at the ports they have', () => {
  const { dnsPort } = worldWith()
  assert.deepEqual([OWN, HINT, OTHER].map(dnsPort), [5311, 5312, 53])
})

test('and outside of one the port of DNS is what everybody asks', () => {
  const { dnsPort } = worldWith({ MAILSTEAD_LABORATORY: 'false' })
  assert.deepEqual([OWN, HINT, OTHER].map(dnsPort), [53, 5312, 53])
})
