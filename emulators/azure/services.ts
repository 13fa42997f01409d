/** emailServices and communicationServices: what a subscription has once. */
import { randomBytes, randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { EmulatedAnswer } from '../server.ts'
import { Refused } from './answers.ts'
import {
  type ArmCall,
  badRequest,
  framed,
  GLOBAL,
  inPassage,
  notFound,
  paged,
  READ_ONLY,
  readBody,
  TAGS,
} from './call.ts'
import { linkableDomains } from './links.ts'
import { begin, pollsResult, pollsState, provisioning } from './operations.ts'
import {
  type ByName,
  beginDeletion,
  type Cloud,
  type CommunicationService,
  type EmailService,
  lookAt,
  lookAtAll,
  newProvisioned,
  type Provisioned,
} from './state.ts'

const EMAIL_BODY = z.strictObject({
  ...READ_ONLY,
  location: GLOBAL,
  tags: TAGS,
  properties: z.strictObject({
    provisioningState: z.unknown().optional(),
    dataLocation: z.string().min(1),
  }),
})

const KEY_AUTH = { disableLocalAuth: z.boolean().optional() }
const LINKED = { linkedDomains: z.array(z.string()).optional() }

/** `publicNetworkAccess` and `identity` are refused: they would have no effect here. */
const COMMUNICATION_BODY = z.strictObject({
  ...READ_ONLY,
  location: GLOBAL,
  tags: TAGS,
  properties: z.strictObject({
    provisioningState: z.unknown().optional(),
    hostName: z.unknown().optional(),
    immutableResourceId: z.unknown().optional(),
    dataLocation: z.string().min(1),
    ...LINKED,
    ...KEY_AUTH,
  }),
})

const COMMUNICATION_PATCH = z.strictObject({
  tags: TAGS,
  properties: z.strictObject({ ...LINKED, ...KEY_AUTH }).optional(),
})

const EMAIL_PATCH = z.strictObject({ tags: TAGS })

export function putEmailService(call: ArmCall): EmulatedAnswer {
  const { cloud, names } = call
  const { tags, properties } = readBody(call, EMAIL_BODY)
  const found = lookAt(cloud.emailServices, checkedName(names[0]!, /^[a-zA-Z0-9-]+$/))
  const service: EmailService = found ?? {
    ...newProvisioned(names[0]!, cloud.settings.now()),
    dataLocation: properties.dataLocation,
    domains: new Map(),
  }
  return put(call, cloud.emailServices, service, { tags, ...properties }, showEmailService)
}

export async function putCommunicationService(call: ArmCall): Promise<EmulatedAnswer> {
  const { cloud, names } = call
  const { tags, properties } = readBody(call, COMMUNICATION_BODY)
  const { linkedDomains = [], disableLocalAuth = false, dataLocation } = properties
  const name = checkedName(names[0]!, /^[-\w]+$/)
  const linked = await linkableDomains(cloud, linkedDomains, dataLocation)
  const found = lookAt(cloud.communicationServices, name)
  const service: CommunicationService = found ?? {
    ...newProvisioned(name, cloud.settings.now()),
    dataLocation,
    linkedDomains: [],
    isKeyAuthDisabled: false,
    immutableId: randomUUID(),
    keys: { primary: newAccessKey(), secondary: newAccessKey() },
  }
  const show = showCommunicationService
  const answer = put(call, cloud.communicationServices, service, { tags, dataLocation }, show)
  // A PUT replaces everything: omitted properties are removed, links included.
  Object.assign(service, { linkedDomains: linked, isKeyAuthDisabled: disableLocalAuth })
  return { ...answer, json: show(cloud, service) }
}

const newAccessKey = (): string => randomBytes(64).toString('base64')

function checkedName(name: string, pattern: RegExp): string {
  if (name.length <= 63 && pattern.test(name)) return name
  throw new Refused(400, 'InvalidResourceName', `The resource name '${name}' is invalid.`)
}

type Show<T> = (cloud: Cloud, resource: T) => object
type Wanted = { tags: Record<string, string> | undefined; dataLocation: string }

function put<T extends Provisioned & { dataLocation: string }>(
  call: ArmCall,
  shelf: ByName<T>,
  resource: T,
  wanted: Wanted,
  show: Show<T>,
): EmulatedAnswer {
  const { cloud } = call
  if (resource.provisioningState === 'Deleting') throw inPassage(resource)
  if (resource.dataLocation !== wanted.dataLocation) {
    throw badRequest("The property 'dataLocation' cannot be changed.")
  }
  const isNew = !shelf.has(resource.name.toLowerCase())
  resource.tags = wanted.tags
  resource.changedAt = cloud.settings.now()
  if (!isNew) return { status: 200, json: show(cloud, resource) }
  shelf.set(resource.name.toLowerCase(), resource)
  const operation = begin(cloud, provisioning(shelf, resource.name))
  return { status: 201, headers: pollsState(call, operation), json: show(cloud, resource) }
}

export const showEmailService: Show<EmailService> = (cloud, service) => ({
  ...framed(cloud, `emailServices/${service.name}`, service, {
    provisioningState: service.provisioningState,
    dataLocation: service.dataLocation,
  }),
  location: 'global',
  ...(service.tags && { tags: service.tags }),
})

/** `hostName` is the emulator's own address, so that no URL built from it reaches the real Azure. */
export const showCommunicationService: Show<CommunicationService> = (cloud, service) => ({
  ...framed(cloud, `communicationServices/${service.name}`, service, {
    provisioningState: service.provisioningState,
    hostName: new URL(cloud.url).host,
    dataLocation: service.dataLocation,
    immutableResourceId: service.immutableId,
    linkedDomains: service.linkedDomains,
    disableLocalAuth: service.isKeyAuthDisabled,
  }),
  location: 'global',
  ...(service.tags && { tags: service.tags }),
})

export function getEmailService({ cloud, names }: ArmCall): EmulatedAnswer {
  const service = lookAt(cloud.emailServices, names[0]!)
  if (!service) throw notFound(`emailServices/${names[0]}`)
  return { status: 200, json: showEmailService(cloud, service) }
}

export function getCommunicationService(call: ArmCall): EmulatedAnswer {
  return { status: 200, json: showCommunicationService(call.cloud, communicationService(call)) }
}

function communicationService({ cloud, names }: ArmCall): CommunicationService {
  const service = lookAt(cloud.communicationServices, names[0]!)
  if (!service) throw notFound(`communicationServices/${names[0]}`)
  return service
}

export function patchEmailService(call: ArmCall): EmulatedAnswer {
  const { cloud, names } = call
  const service = lookAt(cloud.emailServices, names[0]!)
  if (!service) throw notFound(`emailServices/${names[0]}`)
  if (service.provisioningState === 'Deleting') throw inPassage(service)
  const { tags } = readBody(call, EMAIL_PATCH)
  if (tags) Object.assign(service, { tags, changedAt: cloud.settings.now() })
  return { status: 200, json: showEmailService(cloud, service) }
}

export async function patchCommunicationService(call: ArmCall): Promise<EmulatedAnswer> {
  const { cloud } = call
  const service = communicationService(call)
  if (service.provisioningState !== 'Succeeded') throw inPassage(service)
  const { tags, properties = {} } = readBody(call, COMMUNICATION_PATCH)
  const { linkedDomains, disableLocalAuth } = properties
  const linked =
    linkedDomains && (await linkableDomains(cloud, linkedDomains, service.dataLocation))
  if (tags) service.tags = tags
  if (linked) service.linkedDomains = linked
  if (disableLocalAuth !== undefined) service.isKeyAuthDisabled = disableLocalAuth
  service.changedAt = cloud.settings.now()
  return { status: 200, json: showCommunicationService(cloud, service) }
}

export const listEmailServices = (call: ArmCall): EmulatedAnswer =>
  paged(
    call,
    lookAtAll(call.cloud.emailServices).map((service) => showEmailService(call.cloud, service)),
  )

export function listCommunicationServices(call: ArmCall): EmulatedAnswer {
  const services = lookAtAll(call.cloud.communicationServices)
  return paged(
    call,
    services.map((service) => showCommunicationService(call.cloud, service)),
  )
}

export function deleteEmailService(call: ArmCall): EmulatedAnswer {
  const { cloud, names } = call
  const service = cloud.emailServices.get(names[0]!.toLowerCase())
  if (service && lookAtAll(service.domains).length > 0) {
    throw new Refused(
      409,
      'CannotDeleteResource',
      'Cannot delete resource while nested resources exist.',
    )
  }
  return remove(call, cloud.emailServices, names[0]!)
}

export const deleteCommunicationService = (call: ArmCall): EmulatedAnswer =>
  remove(call, call.cloud.communicationServices, call.names[0]!)

/** 202 until it ends, 204 when the object is absent. */
export function remove<T extends Provisioned>(
  call: ArmCall,
  shelf: ByName<T>,
  name: string,
): EmulatedAnswer {
  const found = lookAt(shelf, name)
  if (found === undefined) return { status: 204 }
  if (found.provisioningState !== 'Deleting') beginDeletion(found)
  return {
    status: 202,
    headers: pollsResult(call, begin(call.cloud, provisioning(shelf, name))),
  }
}

export function listKeys(call: ArmCall): EmulatedAnswer {
  const service = communicationService(call)
  if (service.provisioningState !== 'Succeeded') throw inPassage(service)
  const { primary, secondary } = service.keys
  const connectionString = (key: string) => `endpoint=${call.cloud.url}/;accesskey=${key}`
  return {
    status: 200,
    json: {
      primaryKey: primary,
      secondaryKey: secondary,
      primaryConnectionString: connectionString(primary),
      secondaryConnectionString: connectionString(secondary),
    },
  }
}

const REGENERATE_BODY = z.strictObject({ keyType: z.literal(['Primary', 'Secondary']) })

/** Makes the old key wrong from now on. */
export function regenerateKey(call: ArmCall): EmulatedAnswer {
  const service = communicationService(call)
  const { keyType } = readBody(call, REGENERATE_BODY)
  service.keys[keyType === 'Primary' ? 'primary' : 'secondary'] = newAccessKey()
  return listKeys(call)
}
