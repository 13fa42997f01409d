/** The state of the emulated subscription. Names are Azure's own; keys of the maps are in lower case. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Ask } from '../dns.ts'
import type { Key } from './key.ts'
import type { Quota } from './quota.ts'

/** The states of Azure that this emulator uses. */
export type ProvisioningState = 'Creating' | 'Succeeded' | 'Deleting'

export type Provisioned = {
  name: string
  tags: Record<string, string> | undefined
  createdAt: number
  changedAt: number
  provisioningState: ProvisioningState
  /** How many more polls see the transitional state. */
  looksLeft: number
}

export type EmailService = Provisioned & { dataLocation: string; domains: ByName<Domain> }

export type CommunicationService = Provisioned & {
  dataLocation: string
  linkedDomains: readonly string[]
  isKeyAuthDisabled: boolean
  immutableId: string
  keys: { primary: string; secondary: string }
}

export const VERIFICATION_TYPES = ['Domain', 'SPF', 'DKIM', 'DKIM2', 'DMARC'] as const
export type VerificationType = (typeof VERIFICATION_TYPES)[number]

export type VerificationStatus =
  | 'NotStarted'
  | 'VerificationRequested'
  | 'VerificationInProgress'
  | 'VerificationFailed'
  | 'Verified'
  | 'CancellationRequested'

/** `startedAt` also distinguishes one run from the next. */
export type Verification = {
  status: VerificationStatus
  errorCode: string | undefined
  startedAt: number
  run: number
}

export type DnsRecord = { type: 'TXT' | 'CNAME'; name: string; value: string; ttl: number }

export type Domain = Provisioned & {
  emailService: string
  dataLocation: string
  userEngagementTracking: 'Disabled' | 'Enabled'
  verifications: Record<VerificationType, Verification>
  records: Partial<Record<VerificationType, DnsRecord>>
  senders: Map<string, SenderUsername>
  suppressionLists: Map<string, SuppressionList>
}

export type SenderUsername = { username: string; displayName: string | undefined }

export type SuppressionList = {
  name: string
  listName: string | undefined
  createdAt: number
  changedAt: number
  addresses: Map<string, SuppressedAddress>
}

export type SuppressedAddress = {
  name: string
  email: string
  firstName: string | undefined
  lastName: string | undefined
  notes: string | undefined
  changedAt: number
}

export type ByName<T> = Map<string, T>

/** Each poll advances it, as with a resource. */
export type Operation = { startedAt: number; look(): 'InProgress' | 'Succeeded' }

export type Credentials = {
  tenantId: string
  clientId: string
  clientSecret: string
  subscription: string
  resourceGroup: string
}

/** How a verification hangs: the state it shows, and how many more initiations it takes. */
export type Stuck = { as: 'VerificationInProgress' | 'NotStarted'; initiationsLeft: number }

export type Settings = {
  ask: Ask
  now: () => number
  dkimZone: string
  spfInclude: string
  verificationMs: number
  pageSize: number
  refusesToDeleteLinked: boolean
  senderUsernamesAllowed: boolean
  notLinkedStatus: 403 | 404
}

export type Cloud = {
  settings: Settings
  /** The emulator's URL: known once it listens. */
  url: string
  key: Key
  credentials: Credentials
  isRevoked: boolean
  isForbidden: boolean
  isSendingBlocked: boolean
  /** The expiry of each access token. */
  tokens: Map<string, number>
  emailServices: ByName<EmailService>
  communicationServices: ByName<CommunicationService>
  operations: Map<string, Operation>
  stuck: Map<string, Stuck>
  domainsEverMade: number
  sendQuota: Quota
  statusQuota: Quota
}

export const newCredentials = (): Credentials => ({
  tenantId: randomUUID(),
  clientId: randomUUID(),
  clientSecret: `emulated-${randomBytes(15).toString('base64url')}`,
  subscription: randomUUID(),
  resourceGroup: 'mailstead',
})

export function newProvisioned(name: string, now: number): Provisioned {
  return {
    name,
    tags: undefined,
    createdAt: now,
    changedAt: now,
    provisioningState: 'Creating',
    looksLeft: 1,
  }
}

/**
 * The resource as a poll sees it; the first poll after a creation or deletion sees a transitional state.
 */
export function lookAt<T extends Provisioned>(shelf: ByName<T>, name: string): T | undefined {
  const found = shelf.get(name.toLowerCase())
  if (found === undefined) return undefined
  if (found.looksLeft > 0) {
    found.looksLeft -= 1
    return found
  }
  if (found.provisioningState === 'Deleting') {
    shelf.delete(name.toLowerCase())
    return undefined
  }
  found.provisioningState = 'Succeeded'
  return found
}

export const lookAtAll = <T extends Provisioned>(shelf: ByName<T>): T[] =>
  [...shelf.keys()].flatMap((name) => lookAt(shelf, name) ?? [])

export function beginDeletion(resource: Provisioned): void {
  resource.provisioningState = 'Deleting'
  resource.looksLeft = 1
}

const PROVIDER = 'Microsoft.Communication'
const DOMAIN_ID =
  /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.Communication\/emailServices\/([^/]+)\/domains\/([^/]+)$/i

/** `path` as in `emailServices/es/domains/d.example`. */
export function resourceId({ credentials }: Cloud, path: string): string {
  const { subscription, resourceGroup } = credentials
  return `/subscriptions/${subscription}/resourceGroups/${resourceGroup}/providers/${PROVIDER}/${path}`
}

export const domainId = (cloud: Cloud, domain: Domain): string =>
  resourceId(cloud, `emailServices/${domain.emailService}/domains/${domain.name}`)

/** The domain of an id, in any letter case (ARM ids are case-insensitive). */
export function domainOfId(cloud: Cloud, id: string): Domain | undefined {
  const [, subscription, group, service, name] = DOMAIN_ID.exec(id) ?? []
  const own = cloud.credentials
  if (subscription?.toLowerCase() !== own.subscription.toLowerCase()) return undefined
  if (group?.toLowerCase() !== own.resourceGroup.toLowerCase()) return undefined
  return cloud.emailServices.get(service!.toLowerCase())?.domains.get(name!.toLowerCase())
}

export const allDomains = (cloud: Cloud): Domain[] =>
  [...cloud.emailServices.values()].flatMap(({ domains }) => [...domains.values()])

export function isLinked(cloud: Cloud, domain: Domain): boolean {
  const id = domainId(cloud, domain).toLowerCase()
  return [...cloud.communicationServices.values()].some(({ linkedDomains }) =>
    linkedDomains.some((linked) => linked.toLowerCase() === id),
  )
}
