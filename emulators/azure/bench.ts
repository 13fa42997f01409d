/**
 * For tests: an emulator with its own DNS, used by the official SDKs and by plain requests.
 */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { CommunicationServiceManagementClient, type DomainResource } from '@azure/arm-communication'
import { EmailClient } from '@azure/communication-email'
import type { TokenCredential } from '@azure/core-auth'
import type { Ask } from '../dns.ts'
import { deviationsOf } from './contract-check.ts'
import { type AzureEmulator, type AzureEmulatorOptions, startAzureEmulator } from './emulator.ts'

export const VERSION = '2025-09-01'

/** Records by `name type`; undefined while no server answers. */
export type Dns = { records: Map<string, readonly string[]> | undefined }

export type Bench = AsyncDisposable & {
  azure: AzureEmulator
  dns: Dns
  arm: CommunicationServiceManagementClient
  /** A request to ARM below the resource group, or to a whole path, with a valid token. */
  call(method: string, path: string, body?: unknown): Promise<Answer>
  /** Every answer that deviates from the contract. */
  deviations: string[]
}

export type Answer = {
  status: number
  headers: Headers
  /** Null without a body. */
  json: Json
}
/** Any JSON: tests assert its form. */
export type Json = { [key: string]: Json } & { error: { code: string; message: string } }

export async function openBench(options: Partial<AzureEmulatorOptions> = {}): Promise<Bench> {
  const dns: Dns = { records: new Map() }
  const ask: Ask = async (name, type) => {
    if (!dns.records) throw new Error('no nameserver answers')
    return dns.records.get(`${name} ${type}`) ?? []
  }
  const azure = await startAzureEmulator({ ask, ...options })
  const deviations: string[] = []
  const token = { value: '' }
  const { subscription, resourceGroup } = azure.credentials
  const group = `/subscriptions/${subscription}/resourceGroups/${resourceGroup}/providers/Microsoft.Communication`
  return {
    azure,
    dns,
    deviations,
    arm: armClient(azure, deviations),
    async call(method, path, body) {
      token.value ||= await tokenOf(azure)
      const whole = path.startsWith('/') ? path : `${group}/${path}`
      const target = whole.includes('?') ? whole : `${whole}?api-version=${VERSION}`
      const response = await fetch(`${azure.url}${target}`, {
        method,
        headers: { authorization: `Bearer ${token.value}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return readAnswer(response, method, deviations)
    },
    async [Symbol.asyncDispose]() {
      await azure[Symbol.asyncDispose]()
      assert.deepEqual(deviations, [])
    },
  }
}

async function readAnswer(
  response: Response,
  method: string,
  deviations: string[],
): Promise<Answer> {
  const { status, headers, url } = response
  const body = await response.text()
  const path = decodeURIComponent(new URL(url).pathname)
  deviations.push(...deviationsOf({ method, path, status, headers, body }))
  return { status, headers, json: body === '' ? null : JSON.parse(body) }
}

export const tokenForm = ({ credentials }: AzureEmulator): Record<string, string> => ({
  grant_type: 'client_credentials',
  client_id: credentials.clientId,
  client_secret: credentials.clientSecret,
  scope: 'https://management.azure.com/.default',
})

export const signIn = (azure: AzureEmulator, tenant: string, form: Record<string, string>) =>
  fetch(`${azure.url}/${tenant}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
  })

async function tokenOf(azure: AzureEmulator): Promise<string> {
  const response = await signIn(azure, azure.credentials.tenantId, tokenForm(azure))
  assert.equal(response.status, 200)
  const { access_token } = (await response.json()) as { access_token: string }
  return access_token
}

/**
 * The official client unchanged, with its check of credentials for https: only behind the last policy do
 * requests to ARM go to the emulator; any other host is an error.
 */
function armClient(azure: AzureEmulator, deviations: string[]) {
  const credential: TokenCredential = {
    getToken: async () => ({
      token: await tokenOf(azure),
      expiresOnTimestamp: Date.now() + 3_000_000,
    }),
  }
  const client = new CommunicationServiceManagementClient(
    credential,
    azure.credentials.subscription,
    { retryOptions: { maxRetries: 0 } },
  )
  client.pipeline.addPolicy(
    {
      name: 'loopback',
      async sendRequest(request, next) {
        const { host, pathname, search } = new URL(request.url)
        if (host !== 'management.azure.com') throw new Error(`a request to ${host}`)
        request.url = `${azure.url}${pathname}${search}`
        request.allowInsecureConnection = true
        const response = await next(request)
        const { status, headers, bodyAsText } = response
        const path = decodeURIComponent(pathname)
        const body = bodyAsText ?? ''
        deviations.push(...deviationsOf({ method: request.method, path, status, headers, body }))
        return response
      },
    },
    { afterPhase: 'Sign' },
  )
  return client
}

export const emailClient = (connectionString: string): EmailClient =>
  new EmailClient(connectionString, { allowInsecureConnection: true })

export const SERVICE = { location: 'global', properties: { dataLocation: 'Europe' } }
export const DOMAIN = { location: 'global', properties: { domainManagement: 'CustomerManaged' } }
export const FAST = { updateIntervalInMs: 5 }

/** Creates both services; returns the connection string. */
export async function provision({ call }: Bench): Promise<{ key: string; connection: string }> {
  for (const path of ['emailServices/es', 'communicationServices/cs']) {
    await call('PUT', path, SERVICE)
    await poll(call, path)
  }
  const { json } = await call('POST', 'communicationServices/cs/listKeys')
  return { key: String(json.primaryKey), connection: String(json.primaryConnectionString) }
}

/** Looks until the resource is there, at most five times. */
export async function poll(call: Bench['call'], path: string): Promise<Json> {
  for (let look = 0; look < 5; look++) {
    const { json } = await call('GET', path)
    if (String(json.properties?.provisioningState) === 'Succeeded') return json
  }
  throw new Error(`${path} did not succeed`)
}

/** Registers the domain and returns its records. */
export async function register(bench: Bench, name: string): Promise<DomainResource> {
  const path = `emailServices/es/domains/${name}`
  await bench.call('PUT', path, DOMAIN)
  const { properties } = await poll(bench.call, path)
  return { name, ...properties } as DomainResource
}

/** Publishes the domain's records in the DNS, whatever form their names have. */
export function publish({ dns }: Bench, { name, verificationRecords }: DomainResource): void {
  for (const { name: written, type, value } of Object.values(verificationRecords ?? {})) {
    const bare = written!.replace(/\.$/, '')
    const isAbsolute = bare === name || bare.endsWith(`.${name}`)
    const absolute = bare === '@' ? name : isAbsolute ? bare : `${bare}.${name}`
    const key = `${absolute} ${type}`
    dns.records!.set(key, [...(dns.records!.get(key) ?? []), value!])
  }
}

export const NEEDED = ['Domain', 'SPF', 'DKIM', 'DKIM2']

/** Initiates all verifications and returns the states after one look. */
export async function verify({ call }: Bench, name: string, types = NEEDED) {
  const path = `emailServices/es/domains/${name}`
  for (const verificationType of types) {
    const { status } = await call('POST', `${path}/initiateVerification`, { verificationType })
    assert.equal(status, 202, verificationType)
  }
  const { json } = await call('GET', path)
  return json.properties!.verificationStates as unknown as Record<
    string,
    { status: string; errorCode?: string }
  >
}

export const idOf = ({ azure: { credentials } }: Bench, name: string): string =>
  `/subscriptions/${credentials.subscription}/resourceGroups/${credentials.resourceGroup}` +
  `/providers/Microsoft.Communication/emailServices/es/domains/${name}`

export const link = ({ call }: Bench, linkedDomains: readonly string[]): Promise<Answer> =>
  call('PATCH', 'communicationServices/cs', { properties: { linkedDomains } })

/** A domain that may send. */
export async function readyToSend(bench: Bench, name = 'a.example') {
  const { key, connection } = await provision(bench)
  publish(bench, await register(bench, name))
  await verify(bench, name)
  assert.equal((await link(bench, [idOf(bench, name)])).status, 200)
  return { key, connection }
}

type Tweaks = { date?: Date; key: string; headers?: Record<string, string>; signedBody?: string }

/** A request signed as a communication service requires, or with deliberate errors. */
export async function signed(
  { azure, deviations }: Bench,
  [method, target]: readonly [string, string],
  body: string,
  { date = new Date(), key, headers = {}, signedBody = body }: Tweaks,
): Promise<Answer> {
  const hash = createHash('sha256').update(signedBody).digest('base64')
  const { host } = new URL(azure.url)
  const text = `${method}\n${target}\n${date.toUTCString()};${host};${hash}`
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64')
  const response = await fetch(`${azure.url}${target}`, {
    method,
    headers: {
      'x-ms-date': date.toUTCString(),
      'x-ms-content-sha256': hash,
      authorization: `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`,
      ...headers,
    },
    ...(method !== 'GET' && { body }),
  })
  return readAnswer(response, method, deviations)
}

export const SEND = ['POST', `/emails:send?api-version=${VERSION}`] as const

export const MESSAGE = {
  senderAddress: 'DoNotReply@a.example',
  content: { subject: 'Hello', plainText: 'It is me.' },
  recipients: { to: [{ address: 'kim@inbox.test', displayName: 'Kim' }] },
}

/** Sends with the key, as plain HTTP; `about` replaces parts of the message. */
export const send = (
  bench: Bench,
  key: string,
  about: object = {},
  tweaks: Omit<Tweaks, 'key'> = {},
): Promise<Answer> =>
  signed(bench, SEND, JSON.stringify({ ...MESSAGE, ...about }), { key, ...tweaks })

/** Polls the operation until its end, at most a hundred times. */
export async function outcomeOf(bench: Bench, key: string, id: string): Promise<Json> {
  for (let look = 0; look < 100; look++) {
    const target = `/emails/operations/${id}?api-version=${VERSION}`
    const { json } = await signed(bench, ['GET', target], '', { key })
    if (String(json.status) !== 'Running') return json
  }
  throw new Error(`the operation ${id} goes on and on`)
}
