/** emailServices/domains: registration, records, verification. */
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
  parentNotFound,
  READ_ONLY,
  readBody,
  TAGS,
} from './call.ts'
import { begin, passing, pollsResult, pollsState, provisioning } from './operations.ts'
import { remove } from './services.ts'
import {
  type Cloud,
  type Domain,
  type EmailService,
  isLinked,
  lookAt,
  lookAtAll,
  newProvisioned,
  VERIFICATION_TYPES,
  type VerificationType,
} from './state.ts'
import {
  cancel,
  initiate,
  isRunning,
  notStarted,
  settle,
  shownState,
  shownStates,
  wantedRecords,
} from './verification.ts'

const NAME =
  /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i

const TRACKING = z.literal(['Disabled', 'Enabled']).optional()

/** Azure's own domains, and Exchange Online's, are refused: they are not emulated. */
const DOMAIN_BODY = z.strictObject({
  ...READ_ONLY,
  location: GLOBAL,
  tags: TAGS,
  properties: z.strictObject({
    provisioningState: z.unknown().optional(),
    dataLocation: z.unknown().optional(),
    fromSenderDomain: z.unknown().optional(),
    mailFromSenderDomain: z.unknown().optional(),
    verificationStates: z.unknown().optional(),
    verificationRecords: z.unknown().optional(),
    domainManagement: z.literal('CustomerManaged'),
    userEngagementTracking: TRACKING,
  }),
})

const DOMAIN_PATCH = z.strictObject({
  tags: TAGS,
  properties: z.strictObject({ userEngagementTracking: TRACKING }).optional(),
})

const VERIFICATION_BODY = z.strictObject({ verificationType: z.literal([...VERIFICATION_TYPES]) })

/** The service of a domain. One still being created counts as absent. */
function serviceOf({ cloud, names }: ArmCall): EmailService {
  const service = lookAt(cloud.emailServices, names[0]!)
  if (service?.provisioningState !== 'Succeeded') throw parentNotFound(names[0]!)
  return service
}

/** The domain of a request. */
export function domainOf(call: ArmCall): Domain {
  const domain = lookAt(serviceOf(call).domains, call.names[1]!)
  if (!domain) throw notFound(`emailServices/${call.names[0]}/domains/${call.names[1]}`)
  return domain
}

/** The domain of a request about an object in it. */
export function parentDomainOf(call: ArmCall): Domain {
  const domain = lookAt(serviceOf(call).domains, call.names[1]!)
  if (domain?.provisioningState !== 'Succeeded') {
    throw parentNotFound(`${call.names[0]}/${call.names[1]}`)
  }
  return domain
}

export async function putDomain(call: ArmCall): Promise<EmulatedAnswer> {
  const { cloud, names } = call
  const service = serviceOf(call)
  const { tags, properties } = readBody(call, DOMAIN_BODY)
  const wanted = { tags, userEngagementTracking: properties.userEngagementTracking ?? 'Disabled' }
  const found = lookAt(service.domains, names[1]!)
  if (found?.provisioningState === 'Deleting') throw inPassage(found)
  const domain = found ?? newDomain(cloud, service, names[1]!)
  Object.assign(domain, wanted, { changedAt: cloud.settings.now() })
  if (found) return { status: 200, json: await showDomain(cloud, domain) }
  service.domains.set(domain.name.toLowerCase(), domain)
  const operation = begin(cloud, provisioning(service.domains, domain.name))
  return {
    status: 201,
    headers: pollsState(call, operation),
    json: await showDomain(cloud, domain),
  }
}

function newDomain(cloud: Cloud, service: EmailService, name: string): Domain {
  if (!NAME.test(name)) throw badRequest(`'${name}' is not a domain name.`)
  cloud.domainsEverMade += 1
  return {
    ...newProvisioned(name, cloud.settings.now()),
    emailService: service.name,
    dataLocation: service.dataLocation,
    userEngagementTracking: 'Disabled',
    verifications: notStarted(),
    records: wantedRecords(cloud, name),
    senders: new Map([['donotreply', { username: 'DoNotReply', displayName: 'DoNotReply' }]]),
    suppressionLists: new Map(),
  }
}

/** Shows the domain as a poll does: looking brings verifications to their end. */
async function showDomain(cloud: Cloud, domain: Domain): Promise<object> {
  await settle(cloud, domain)
  const { name, provisioningState, dataLocation, userEngagementTracking, records } = domain
  const path = `emailServices/${domain.emailService}/domains/${name}`
  const frame = framed(cloud, path, domain, {
    provisioningState,
    dataLocation,
    fromSenderDomain: name,
    mailFromSenderDomain: name,
    domainManagement: 'CustomerManaged',
    userEngagementTracking,
    verificationStates: shownStates(cloud, domain),
    ...(provisioningState !== 'Creating' && { verificationRecords: records }),
  })
  return { ...frame, location: 'global', ...(domain.tags && { tags: domain.tags }) }
}

export async function getDomain(call: ArmCall): Promise<EmulatedAnswer> {
  return { status: 200, json: await showDomain(call.cloud, domainOf(call)) }
}

export async function listDomains(call: ArmCall): Promise<EmulatedAnswer> {
  const domains = lookAtAll(serviceOf(call).domains)
  return paged(call, await Promise.all(domains.map((domain) => showDomain(call.cloud, domain))))
}

export async function patchDomain(call: ArmCall): Promise<EmulatedAnswer> {
  const domain = domainOf(call)
  if (domain.provisioningState === 'Deleting') throw inPassage(domain)
  const { tags, properties } = readBody(call, DOMAIN_PATCH)
  const tracking = properties?.userEngagementTracking
  if (tags) domain.tags = tags
  if (tracking) domain.userEngagementTracking = tracking
  domain.changedAt = call.cloud.settings.now()
  return { status: 200, json: await showDomain(call.cloud, domain) }
}

/** Deletes the domain with its senders, its lists, and, if that is allowed, its links. */
export function deleteDomain(call: ArmCall): EmulatedAnswer {
  const { cloud, names } = call
  const service = serviceOf(call)
  const domain = service.domains.get(names[1]!.toLowerCase())
  if (domain && isLinked(cloud, domain)) {
    if (cloud.settings.refusesToDeleteLinked) throw stillLinked(domain)
    unlink(cloud, domain)
  }
  return remove(call, service.domains, names[1]!)
}

/** A guess, refusal and code: the specification does not say what happens to a linked domain. */
const stillLinked = ({ name }: Domain): Refused =>
  new Refused(409, 'DomainIsLinked', `The domain '${name}' is linked to a communication service.`)

function unlink(cloud: Cloud, { emailService, name }: Domain): void {
  const end = `/emailServices/${emailService}/domains/${name}`.toLowerCase()
  for (const service of cloud.communicationServices.values()) {
    service.linkedDomains = service.linkedDomains.filter((id) => !id.toLowerCase().endsWith(end))
  }
}

/** The operation says only that the verification began; the domain has its outcome. */
export function initiateVerification(call: ArmCall): EmulatedAnswer {
  const { cloud } = call
  const { domain, type } = verificationOf(call)
  const { status } = shownState(cloud, domain, type)
  // Others report "already running or done", unconfirmed; so one that hangs must be cancelled.
  if (status === 'Verified' || isRunning(status)) {
    throw verificationConflict(`The verification '${type}' is ${status}.`)
  }
  initiate(cloud, domain, type)
  return { status: 202, headers: pollsResult(call, begin(cloud, passing())) }
}

export function cancelVerification(call: ArmCall): EmulatedAnswer {
  const { domain, type } = verificationOf(call)
  if (!isRunning(shownState(call.cloud, domain, type).status)) {
    throw verificationConflict(`The verification '${type}' is not running.`)
  }
  cancel(domain, type)
  return { status: 202, headers: pollsResult(call, begin(call.cloud, passing())) }
}

/** The status is as others report, the code is ours. */
const verificationConflict = (message: string): Refused => new Refused(409, 'Conflict', message)

function verificationOf(call: ArmCall): { domain: Domain; type: VerificationType } {
  const domain = domainOf(call)
  const { verificationType } = readBody(call, VERIFICATION_BODY)
  if (domain.provisioningState !== 'Succeeded') throw inPassage(domain)
  return { domain, type: verificationType }
}
