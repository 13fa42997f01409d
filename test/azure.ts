/** A driver of Azure's before an emulator, with a DNS that shows what it is told; and what others do there by hand. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { azure } from '#drivers/sender/azure/driver.ts'
import { MESSAGE, registered } from '#drivers/sender/conformance.ts'
import type { ClaimRef, NeededRecord, SenderDriver } from '#drivers/sender/contract.ts'
import { compose } from '#mail/outgoing/compose.ts'
import { azureSettings } from '../emulators/accounts.ts'
import {
  type AzureEmulator,
  type AzureEmulatorOptions,
  startAzureEmulator,
} from '../emulators/azure/emulator.ts'
import type { EmulatedAnswer } from '../emulators/server.ts'
import { type TestTools, testTools } from './tools.ts'

/** A DNS that shows what it is told, and can go silent. */
function testDns() {
  let records: readonly NeededRecord[] = []
  let isSilent = false
  return {
    publish: (shown: readonly NeededRecord[]) => {
      records = shown
    },
    silence: (isSo = true) => {
      isSilent = isSo
    },
    async ask(name: string, type: string): Promise<readonly string[]> {
      if (isSilent) throw new Error('no nameserver answers')
      return records
        .filter((record) => record.name === `${name}.` && record.type === type)
        .flatMap(({ data }) =>
          data.map((value) => (type === 'CNAME' ? value.replace(/[.]$/, '') : value)),
        )
    },
  }
}

export type Bench = {
  emulator: AzureEmulator
  dns: ReturnType<typeof testDns>
  tools: TestTools
  driver: SenderDriver
}

/** With a clock that can be told to go on. */
export async function openBench(options: Partial<AzureEmulatorOptions> = {}) {
  const dns = testDns()
  let passedMs = 0
  const now = () => Date.now() + passedMs
  const emulator = await startAzureEmulator({
    ask: dns.ask,
    sendsPerMinute: 0,
    sendsPerHour: 0,
    now,
    ...options,
  })
  const tools = { ...testTools(), now }
  return {
    emulator,
    dns,
    tools,
    driver: driverAt(emulator, tools),
    pass: (ms: number) => {
      passedMs += ms
    },
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  }
}

const settingsFor = (emulator: AzureEmulator, more: object = {}) => ({
  ...azureSettings(emulator),
  check_again_seconds: 0.02,
  check_stuck_seconds: 0.2,
  ...more,
})

export const driverAt = (
  emulator: AzureEmulator,
  tools: TestTools,
  more: object = {},
): SenderDriver => azure.open(azure.settings.parse(settingsFor(emulator, more)), tools)

let count = 0
export const newClaim = (name = `c${++count}.example`): ClaimRef => {
  return { claimId: randomUUID(), name, nameservers: [] }
}

/** Registers, publishes and follows the checks until Azure is content or `looks` are used up. */
export async function activate(
  { driver, dns }: Bench,
  claim: ClaimRef,
  signal: AbortSignal,
  looks = 40,
) {
  dns.publish(await registered(driver, claim, signal))
  for (let look = 0; look < looks; look++) {
    if ((await driver.verifyDomain(claim, signal)).is === 'verified') return
    await delay(10)
  }
  assert.fail('Azure was not content in time')
}

/** A message as the one address that every domain may send as; another one at each call. */
export const fromStanding = () =>
  compose(
    { ...MESSAGE, author: { localpart: 'DoNotReply', displayName: 'Mailstead' } },
    'azure.example',
  )

// biome-ignore lint/suspicious/noExplicitAny: what Azure says of a resource
export function edited(answer: EmulatedAnswer, edit: (properties: any) => void): EmulatedAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: the same
  const json: any = structuredClone(answer.json)
  if (json?.properties) edit(json.properties)
  return { ...answer, json }
}

export type Place = Pick<AzureEmulator, 'url' | 'credentials'>

const tokenOf = async ({ url, credentials }: Place): Promise<string> => {
  const answer = await fetch(`${url}/${credentials.tenantId}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: credentials.clientId,
      client_secret: credentials.clientSecret,
      scope: 'https://management.azure.com/.default',
    }),
  })
  return ((await answer.json()) as { access_token: string }).access_token
}

/** What somebody does by hand, below the resource group. */
async function byHand(place: Place, method: string, path: string, json?: object) {
  const { url, credentials } = place
  const { subscription, resourceGroup } = credentials
  const group = `${url}/subscriptions/${subscription}/resourceGroups/${resourceGroup}`
  const headers = {
    authorization: `Bearer ${await tokenOf(place)}`,
    'content-type': 'application/json',
  }
  return fetch(`${group}/providers/Microsoft.Communication/${path}?api-version=2025-09-01`, {
    method,
    headers,
    body: json ? JSON.stringify(json) : null,
  })
}

export const atService = async (place: Place, method: string, path: string, json: object) => {
  const answer = await byHand(place, method, `communicationServices/mailstead${path}`, json)
  assert.equal(answer.status, 200)
}

export const unlinkAll = (place: Place) =>
  atService(place, 'PATCH', '', { properties: { linkedDomains: [] } })

export const deleteByHand = async (place: Place, name: string) => {
  const domain = `emailServices/mailstead/domains/${name}`
  await byHand(place, 'DELETE', domain)
  while ((await byHand(place, 'GET', domain)).status !== 404) await delay(1)
}
