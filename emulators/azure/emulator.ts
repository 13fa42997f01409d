/**
 * Azure Communication Services Email in this process: sign-in, resource management, sending and
 * delivery events behind one address. It keeps real state, asks the real DNS and signs real mail;
 * what of Azure's behaviour is documented, and what is a guess, is said where it happens.
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
  /** Looks at the DNS; verification really asks. */
  ask: Ask
  /** Takes what is sent, once for each recipient; when it throws, the recipient bounced. */
  deliver?: (message: Delivery) => Promise<void>
  /** Who bounces without being tried. */
  isBouncing?: (recipient: string) => boolean
  /** Where in the DNS the emulator's keys are; default `azurecomm.net`. */
  dkimZone?: string
  /** The name customers include in their SPF policy; default `spf.protection.outlook.com`. */
  spfInclude?: string
  /** The address that name allows, for `records`; default 127.0.0.1. */
  sourceAddress?: string
  /** How long a verification stays in progress; default 0, which ends it at the next poll. */
  verificationMs?: number
  /** Limits of the subscription as documented; 0 takes one off. */
  sendsPerMinute?: number
  sendsPerHour?: number
  statusReadsPerMinute?: number
  statusReadsPerHour?: number
  /** Whether sender usernames beside DoNotReply may be made; they may not at the default limits. */
  senderUsernamesAllowed?: boolean
  /**
   * Whether a domain that is still linked cannot be deleted: not specified, so the strict way is
   * the default.
   */
  refusesToDeleteLinked?: boolean
  /** With what `DomainNotLinked` is said: both were reported; default 404. */
  notLinkedStatus?: 403 | 404
  /** How many items a list shows at once; default 20. */
  pageSize?: number
  now?: () => number
}

export type AzureHoldings = {
  domains: string[]
  /** Ids as they were written, of all communication services. */
  linkedDomains: string[]
  /** `domain/username`, without the one that every domain has by itself. */
  senders: string[]
  /** `domain/name`. */
  suppressionLists: string[]
}

export type AzureEmulator = EmulatorServer & {
  credentials: Credentials
  /** What the DNS must serve for the emulator's own names. */
  records: readonly RRset[]
  /** All tokens and access keys that were given out. */
  secrets(): string[]
  /** What was made and not deleted; a deletion counts from its acceptance on. */
  holdings(): AzureHoldings
  sent: readonly SentMessage[]
  /** From now on the client secret is wrong, and so are the tokens it gave. */
  revoke(): void
  restore(): void
  /** From now on the client has no rights on any resource. */
  forbid(): void
  allow(): void
  /** From now on nothing is sent for the subscription, as after complaints. */
  blockSending(): void
  unblockSending(): void
  /** From now on sender usernames may not be made, as at the default limits. */
  refuseUsernames(): void
  allowUsernames(): void
  /** Makes a verification hang, until it was initiated so many (1) more times. */
  stick(domain: string, type: VerificationType, how?: { times?: number; as?: Stuck['as'] }): void
  /** Has delivery reports posted to a webhook, which must first answer the validation event. */
  subscribe(url: string): Promise<void>
  /** Reports on a send now: to all its recipients or one, `times` over with the same event id. */
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
