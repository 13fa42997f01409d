/**
 * A client of Azure Resource Manager (Microsoft.Communication, 2025-09-01): only the calls we need.
 */
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import type { HttpAnswer, HttpCall, HttpClient } from '../../http.ts'
import { readAs } from '../../read-as.ts'
import { codeOf, isAbsent, refusalOf } from './refusals.ts'
import type { Token } from './token.ts'

const API_VERSION = 'api-version=2025-09-01'
const PAGES = 50

export type ArmPlace = {
  subscription: string
  resource_group: string
  email_service: string
  communication_service: string
  data_location: string
}

const provisioned = z.object({ properties: z.object({ provisioningState: z.string().optional() }) })
const communication = z.object({
  properties: z.object({
    provisioningState: z.string().optional(),
    linkedDomains: z.array(z.string()).nullish(),
  }),
})
const verificationRecord = z.object({ type: z.string(), name: z.string(), value: z.string() })
const verificationState = z.object({ status: z.string(), errorCode: z.string().nullish() })
const domain = z.object({
  id: z.string(),
  name: z.string(),
  tags: z.record(z.string(), z.string()).nullish(),
  properties: z.object({
    provisioningState: z.string().optional(),
    verificationRecords: z.record(z.string(), verificationRecord).nullish(),
    verificationStates: z.record(z.string(), verificationState).nullish(),
  }),
})
const listed = z.object({
  value: z.array(z.object({ name: z.string() })),
  nextLink: z.string().nullish(),
})
const keys = z.object({ primaryConnectionString: z.string() })

export type Provisioned = z.infer<typeof provisioned>['properties']
export type ArmDomain = z.infer<typeof domain>
export type Arm = ReturnType<typeof armApi>

export function armApi(http: HttpClient, token: Token, place: ArmPlace) {
  const root = `/subscriptions/${place.subscription}/resourceGroups/${place.resource_group}/providers/Microsoft.Communication`
  const emailService = `${root}/emailServices/${place.email_service}`
  const communicationService = `${root}/communicationServices/${place.communication_service}`
  const domainAt = (name: string) => `${emailService}/domains/${name}`

  async function ask(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    const path = call.path.includes('?') ? call.path : `${call.path}?${API_VERSION}`
    const withToken = async (ownMeaning: readonly number[]) => {
      const bearer = await token.get(signal)
      const headers = { authorization: `Bearer ${bearer}` }
      const answer = await http({ ...call, path, headers, ownMeaning }, signal)
      if (answer.status === 401) token.drop(bearer)
      return answer
    }
    // A refused token may have expired early. If Azure refuses a new one, our credentials are
    // wrong.
    const { ownMeaning = [] } = call
    const answer = await withToken([...ownMeaning, 401])
    return answer.status === 401 ? withToken(ownMeaning) : answer
  }
  /** Undefined where the resource is absent. */
  async function get<T>(path: string, shape: z.ZodType<T>, signal: AbortSignal) {
    const answer = await ask({ method: 'GET', path }, signal)
    return isAbsent(answer) ? undefined : readAs('Azure', shape, accepted(answer, [200]))
  }
  async function put<T>(path: string, json: object, shape: z.ZodType<T>, signal: AbortSignal) {
    return readAs(
      'Azure',
      shape,
      accepted(await ask({ method: 'PUT', path, json }, signal), [200, 201]),
    )
  }
  async function remove(path: string, signal: AbortSignal): Promise<void> {
    const answer = await ask({ method: 'DELETE', path }, signal)
    if (!isAbsent(answer)) accepted(answer, [200, 202, 204])
  }
  async function names(path: string, signal: AbortSignal): Promise<string[]> {
    const found: string[] = []
    let next: string | undefined = path
    for (let page = 0; next !== undefined && page < PAGES; page++) {
      const one: z.infer<typeof listed> | undefined = await get(next, listed, signal)
      found.push(...(one?.value ?? []).map(({ name }) => name))
      next = pathOf(one?.nextLink)
    }
    return found
  }
  return {
    domainId: domainAt,
    linkKey: `azure links ${communicationService.toLowerCase()}`,
    /** Creates the service if it is absent. */
    async ensureService(
      kind: 'email' | 'communication',
      signal: AbortSignal,
    ): Promise<Provisioned> {
      const path = kind === 'email' ? emailService : communicationService
      // A PUT over an existing service would remove all its links.
      const found = await get(path, provisioned, signal)
      const fresh = { location: 'global', properties: { dataLocation: place.data_location } }
      if (found) return found.properties
      const answer = await ask({ method: 'PUT', path, json: fresh }, signal)
      if (answer.status >= 400) throw refusedService(kind, refusalOf(answer.status, codeOf(answer)))
      return readAs('Azure', provisioned, answer.json).properties
    },
    async getDomain(name: string, signal: AbortSignal): Promise<ArmDomain | undefined> {
      const found = await get(domainAt(name), domain, signal)
      if (found === undefined || found.name.toLowerCase() === name) return found
      throw new DriverError('unavailable', "Azure answered with another domain's data.")
    },
    putDomain(name: string, tags: Record<string, string>, signal: AbortSignal): Promise<ArmDomain> {
      const properties = { domainManagement: 'CustomerManaged', userEngagementTracking: 'Disabled' }
      return put(domainAt(name), { location: 'global', tags, properties }, domain, signal)
    },
    deleteDomain: (name: string, signal: AbortSignal) => remove(domainAt(name), signal),
    /** False when Azure is busy with this or another check. */
    async initiate(name: string, verificationType: string, signal: AbortSignal): Promise<boolean> {
      const path = `${domainAt(name)}/initiateVerification`
      const call = { method: 'POST', path, json: { verificationType }, ownMeaning: [409] } as const
      const answer = await ask(call, signal)
      if (answer.status === 409) return false
      accepted(answer, [200, 202])
      return true
    },
    /** Cancels a check; succeeds if none runs. */
    async cancel(name: string, verificationType: string, signal: AbortSignal): Promise<void> {
      const path = `${domainAt(name)}/cancelVerification`
      const call = { method: 'POST', path, json: { verificationType }, ownMeaning: [404, 409] }
      const answer = await ask({ ...call, method: 'POST' }, signal)
      if (answer.status !== 404 && answer.status !== 409) accepted(answer, [200, 202, 204])
    },
    /** The ids of the linked domains, as Azure spells them; none if the service is absent. */
    async linkedDomains(signal: AbortSignal): Promise<readonly string[]> {
      const found = await get(communicationService, communication, signal)
      return found?.properties.linkedDomains ?? []
    },
    async setLinkedDomains(linkedDomains: readonly string[], signal: AbortSignal): Promise<void> {
      const call = { method: 'PATCH', path: communicationService } as const
      accepted(await ask({ ...call, json: { properties: { linkedDomains } } }, signal), [200])
    },
    async connectionString(signal: AbortSignal): Promise<string> {
      const path = `${communicationService}/listKeys`
      const answer = await ask({ method: 'POST', path, json: {} }, signal)
      return readAs('Azure', keys, accepted(answer, [200])).primaryConnectionString
    },
    listSenders: (name: string, signal: AbortSignal) =>
      names(`${domainAt(name)}/senderUsernames`, signal),
    /** The code of a refusal; undefined if the sender was created or exists. */
    async putSender(name: string, username: string, displayName: string, signal: AbortSignal) {
      const path = `${domainAt(name)}/senderUsernames/${encodeURIComponent(username)}`
      const json = { properties: { username, displayName } }
      const answer = await ask({ method: 'PUT', path, json, ownMeaning: [403] }, signal)
      if (answer.status !== 400 && answer.status !== 403) accepted(answer, [200, 201])
      return answer.status < 300 ? undefined : codeOf(answer)
    },
    deleteSender: (name: string, username: string, signal: AbortSignal) =>
      remove(`${domainAt(name)}/senderUsernames/${encodeURIComponent(username)}`, signal),
    listSuppressionLists: (name: string, signal: AbortSignal) =>
      names(`${domainAt(name)}/suppressionLists`, signal),
    deleteSuppressionList: (name: string, list: string, signal: AbortSignal) =>
      remove(`${domainAt(name)}/suppressionLists/${encodeURIComponent(list)}`, signal),
  }
}

/** Links to further pages are absolute; we follow only their path, at the configured host. */
function pathOf(link: string | null | undefined): string | undefined {
  const url = link ? URL.parse(link) : undefined
  return url ? `${url.pathname}${url.search}` : undefined
}

/** A refusal of the service is a fault of the account: it must not fail a domain. */
function refusedService(kind: string, refusal: DriverError): DriverError {
  if (refusal.kind !== 'rejected') return refusal
  return new DriverError('unavailable', `${refusal.message.slice(0, -1)}, for the ${kind} service.`)
}

function accepted(answer: HttpAnswer, statuses: readonly number[]): unknown {
  if (statuses.includes(answer.status)) return answer.json
  throw refusalOf(answer.status, codeOf(answer))
}
