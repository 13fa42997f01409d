/**
 * Azure Communication Services Email in this process: sign-in, resource management, sending and delivery
 * events at one address. It keeps real state, queries the real DNS and signs real mail; the code says
 * which behaviour is documented and which is a guess.
 */
import type { RRset } from '#drivers/zone/contract.ts'
import type { Ask } from '../dns.ts'
import { type EmulatedRequest, type EmulatorServer, startEmulator } from '../server.ts'
import { refusal } from './answers.ts'
import { answerArm } from './arm.ts'
import { answerDataPlane, type DataPlane, type Delivery, type SentMessage } from './data-plane.ts'
import { type DeliveryStatus, type EventGrid, newEventGrid } from './events.ts'
import { ownKey, ownRecords } from './key.ts'
import { newQuota } from './quota.ts'
import { DEFAULT_SENDER } from './senders.ts'
import {
  allDomains,
  type Cloud,
  type Credentials,
  newCredentials,
  type Provisioned,
  resourceId,
  type Stuck,
  type VerificationType,
} from './state.ts'
import { answerToken, TOKEN_PATH } from './token.ts'
import { stick } from './verification.ts'

export type { SentMessage } from './data-plane.ts'
export type { DeliveryStatus } from './events.ts'
export type { Credentials as AzureCredentials, VerificationType } from './state.ts'

export type AzureEmulatorOptions = {
  port?: number
  /** Queries the DNS; verification really does. */
  ask: Ask
  /** Receives each sent message, once for each recipient; when it throws, the recipient bounced. */
  deliver?: (message: Delivery) => Promise<void>
  /** Recipients that bounce without an attempt. */
  isBouncing?: (recipient: string) => boolean
  /** The zone of the emulator's keys; default `azurecomm.net`. */
  dkimZone?: string
  /** The name customers include in their SPF policy; default `spf.protection.outlook.com`. */
  spfInclude?: string
  /** The address allowed by that name, for `records`; default 127.0.0.1. */
  sourceAddress?: string
  /** How long a verification stays in progress; default 0, which ends it at the next poll. */
  verificationMs?: number
  /** Limits of the subscription as documented; 0 means none. */
  sendsPerMinute?: number
  sendsPerHour?: number
  statusReadsPerMinute?: number
  statusReadsPerHour?: number
  /** Whether sender usernames besides DoNotReply may be made; not at the default limits. */
  senderUsernamesAllowed?: boolean
  /** Whether a linked domain cannot be deleted: not specified, so the strict way is the default. */
  refusesToDeleteLinked?: boolean
  /** The status of `DomainNotLinked`: both were reported; default 404. */
  notLinkedStatus?: 403 | 404
  /** How many items a list shows at once; default 20. */
  pageSize?: number
  now?: () => number
}

export type AzureHoldings = {
  domains: string[]
  /** Ids as written, of all communication services. */
  linkedDomains: string[]
  /** `domain/username`, without the one every domain has from the start. */
  senders: string[]
  /** `domain/name`. */
  suppressionLists: string[]
}

export type AzureEmulator = EmulatorServer & {
  credentials: Credentials
  /** Records that the DNS must serve for the emulator's own names. */
  records: readonly RRset[]
  /** All tokens and access keys issued. */
  secrets(): string[]
  /** Objects created and not deleted; a deletion counts once accepted. */
  holdings(): AzureHoldings
  sent: readonly SentMessage[]
  /** Makes the client secret and its tokens wrong from now on. */
  revoke(): void
  restore(): void
  /** Removes the client's rights to all resources. */
  forbid(): void
  allow(): void
  /** Blocks sending for the subscription from now on, as after complaints. */
  blockSending(): void
  unblockSending(): void
  /** Refuses new sender usernames from now on, as at the default limits. */
  refuseUsernames(): void
  allowUsernames(): void
  /** Makes a verification hang until it was initiated so many (default 1) more times. */
  stick(domain: string, type: VerificationType, how?: { times?: number; as?: Stuck['as'] }): void
  /** Posts delivery reports to a webhook, which must first answer the validation event. */
  subscribe(url: string): Promise<void>
  /** Reports on a send now, to all recipients or one, `times` over with the same event id. */
  reportDelivery(
    operationId: string,
    status: DeliveryStatus,
    options?: { recipient?: string; times?: number },
  ): Promise<void>
}

export async function startAzureEmulator(options: AzureEmulatorOptions): Promise<AzureEmulator> {
  const cloud = await newCloud(options)
  const { now } = cloud.settings
  const events = newEventGrid(() => resourceId(cloud, 'communicationServices'), now)
  const plane = newDataPlane(options, events)
  const { port } = options
  const server = await startEmulator({
    ...(port !== undefined && { port }),
    handle: (request) => route(cloud, plane, request),
    refusal,
  })
  cloud.url = server.url
  return {
    ...server,
    credentials: cloud.credentials,
    records: ownRecords(cloud.key, {
      sourceAddress: options.sourceAddress ?? '127.0.0.1',
      ...cloud.settings,
    }),
    sent: plane.sent,
    secrets: () => [
      ...cloud.tokens.keys(),
      ...[...cloud.communicationServices.values()].flatMap(({ keys }) => Object.values(keys)),
    ],
    holdings: () => holdingsOf(cloud),
    ...switches(cloud),
    subscribe: events.subscribe,
    reportDelivery: (id, status, how) => reportDelivery(plane, events, id, status, how),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await Promise.allSettled(plane.underWay)
    },
  }
}

async function route(cloud: Cloud, plane: DataPlane, request: EmulatedRequest) {
  if (TOKEN_PATH.test(request.path)) return answerToken(cloud, request)
  if (/^\/emails(?![^:/])/.test(request.path)) return answerDataPlane(cloud, plane, request)
  return answerArm(cloud, request)
}

async function newCloud(options: AzureEmulatorOptions): Promise<Cloud> {
  const now = options.now ?? Date.now
  return {
    settings: {
      ask: options.ask,
      now,
      dkimZone: options.dkimZone ?? 'azurecomm.net',
      spfInclude: options.spfInclude ?? 'spf.protection.outlook.com',
      verificationMs: options.verificationMs ?? 0,
      pageSize: options.pageSize ?? 20,
      refusesToDeleteLinked: options.refusesToDeleteLinked ?? true,
      senderUsernamesAllowed: options.senderUsernamesAllowed ?? true,
      notLinkedStatus: options.notLinkedStatus ?? 404,
    },
    url: '',
    key: await ownKey(),
    credentials: newCredentials(),
    isRevoked: false,
    isForbidden: false,
    isSendingBlocked: false,
    tokens: new Map(),
    emailServices: new Map(),
    communicationServices: new Map(),
    operations: new Map(),
    stuck: new Map(),
    domainsEverMade: 0,
    ...quotas(options, now),
  }
}

function quotas(options: AzureEmulatorOptions, now: () => number) {
  const { sendsPerMinute = 30, sendsPerHour = 100 } = options
  const { statusReadsPerMinute = 60, statusReadsPerHour = 200 } = options
  return {
    sendQuota: newQuota({ perMinute: sendsPerMinute, perHour: sendsPerHour }, now),
    statusQuota: newQuota({ perMinute: statusReadsPerMinute, perHour: statusReadsPerHour }, now),
  }
}

function newDataPlane(options: AzureEmulatorOptions, events: EventGrid): DataPlane {
  return {
    sends: new Map(),
    sent: [],
    usedMessageIds: new Set(),
    underWay: new Set(),
    deliver: options.deliver ?? (async () => {}),
    isBouncing: options.isBouncing ?? (() => false),
    report: events.report,
  }
}

type Switch =
  | 'revoke'
  | 'restore'
  | 'forbid'
  | 'allow'
  | 'blockSending'
  | 'unblockSending'
  | 'refuseUsernames'
  | 'allowUsernames'
  | 'stick'

const switches = (cloud: Cloud): Pick<AzureEmulator, Switch> => ({
  revoke: () => {
    cloud.isRevoked = true
  },
  restore: () => {
    cloud.isRevoked = false
  },
  forbid: () => {
    cloud.isForbidden = true
  },
  allow: () => {
    cloud.isForbidden = false
  },
  blockSending: () => {
    cloud.isSendingBlocked = true
  },
  unblockSending: () => {
    cloud.isSendingBlocked = false
  },
  refuseUsernames: () => {
    cloud.settings.senderUsernamesAllowed = false
  },
  allowUsernames: () => {
    cloud.settings.senderUsernamesAllowed = true
  },
  stick: (domain, type, { times = 1, as = 'VerificationInProgress' } = {}) =>
    stick(cloud, domain, type, { times, as }),
})

function holdingsOf(cloud: Cloud): AzureHoldings {
  const stays = ({ provisioningState }: Provisioned) => provisioningState !== 'Deleting'
  const domains = allDomains(cloud).filter(stays)
  const services = [...cloud.communicationServices.values()].filter(stays)
  const within = (pick: (domain: (typeof domains)[number]) => Iterable<string>) =>
    domains.flatMap((domain) => [...pick(domain)].map((name) => `${domain.name}/${name}`))
  return {
    domains: domains.map(({ name }) => name),
    linkedDomains: services.flatMap(({ linkedDomains }) => linkedDomains),
    senders: within(({ senders }) =>
      [...senders].filter(([key]) => key !== DEFAULT_SENDER).map(([, { username }]) => username),
    ),
    suppressionLists: within(({ suppressionLists }) =>
      [...suppressionLists.values()].map(({ name }) => name),
    ),
  }
}

async function reportDelivery(
  { sends }: DataPlane,
  events: EventGrid,
  operationId: string,
  status: DeliveryStatus,
  { recipient, times = 1 }: { recipient?: string; times?: number } = {},
): Promise<void> {
  const send = sends.get(operationId.toLowerCase())
  if (!send) throw new Error(`nothing was sent as ${operationId}`)
  for (const one of recipient === undefined ? send.recipients : [recipient]) {
    const statusMessage = `Reported as ${status}`
    await events.report({ ...send.about, recipient: one, status, statusMessage }, times)
  }
}
