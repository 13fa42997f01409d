/** Azure Resource Manager: authentication and routes. */
import type { EmulatedAnswer, EmulatedRequest } from '../server.ts'
import { Refused } from './answers.ts'
import type { ArmHandler } from './call.ts'
import * as domains from './domains.ts'
import { getOperationResult, getOperationStatus } from './operations.ts'
import * as senders from './senders.ts'
import * as services from './services.ts'
import type { Cloud } from './state.ts'
import * as suppression from './suppression.ts'
import { checkBearer } from './token.ts'

const VERSIONS = ['2025-09-01', '2026-03-18']

const DOMAIN = 'emailServices/*/domains/*'
const SENDERS = `${DOMAIN}/senderUsernames`
const LISTS = `${DOMAIN}/suppressionLists`
const ADDRESSES = `${LISTS}/*/suppressionListAddresses`

/** By method, below a resource group; a star stands for a name. */
const IN_GROUP: Record<string, Record<string, ArmHandler>> = {
  emailServices: { GET: services.listEmailServices },
  'emailServices/*': {
    PUT: services.putEmailService,
    GET: services.getEmailService,
    PATCH: services.patchEmailService,
    DELETE: services.deleteEmailService,
  },
  communicationServices: { GET: services.listCommunicationServices },
  'communicationServices/*': {
    PUT: services.putCommunicationService,
    GET: services.getCommunicationService,
    PATCH: services.patchCommunicationService,
    DELETE: services.deleteCommunicationService,
  },
  'communicationServices/*/listKeys': { POST: services.listKeys },
  'communicationServices/*/regenerateKey': { POST: services.regenerateKey },
  'emailServices/*/domains': { GET: domains.listDomains },
  [DOMAIN]: {
    PUT: domains.putDomain,
    GET: domains.getDomain,
    PATCH: domains.patchDomain,
    DELETE: domains.deleteDomain,
  },
  [`${DOMAIN}/initiateVerification`]: { POST: domains.initiateVerification },
  [`${DOMAIN}/cancelVerification`]: { POST: domains.cancelVerification },
  [SENDERS]: { GET: senders.listSenders },
  [`${SENDERS}/*`]: {
    PUT: senders.putSender,
    GET: senders.getSender,
    DELETE: senders.deleteSender,
  },
  [LISTS]: { GET: suppression.listSuppressionLists },
  [`${LISTS}/*`]: {
    PUT: suppression.putSuppressionList,
    GET: suppression.getSuppressionList,
    DELETE: suppression.deleteSuppressionList,
  },
  [ADDRESSES]: { GET: suppression.listSuppressed },
  [`${ADDRESSES}/*`]: {
    PUT: suppression.putSuppressed,
    GET: suppression.getSuppressed,
    DELETE: suppression.deleteSuppressed,
  },
}

/** By method, directly below the subscription. */
const IN_SUBSCRIPTION: typeof IN_GROUP = {
  emailServices: { GET: services.listEmailServices },
  communicationServices: { GET: services.listCommunicationServices },
  'locations/*/operationStatuses/*': { GET: getOperationStatus },
  'locations/*/operationResults/*': { GET: getOperationResult },
}

/** ARM compares the words of a path case-insensitively. */
const lowerCased = (routes: typeof IN_GROUP) =>
  new Map(Object.entries(routes).map(([path, methods]) => [path.toLowerCase(), methods]))
const GROUP_ROUTES = lowerCased(IN_GROUP)
const SUBSCRIPTION_ROUTES = lowerCased(IN_SUBSCRIPTION)

const PATH =
  /^\/subscriptions\/([^/]+)(?:\/resourceGroups\/([^/]+))?\/providers\/Microsoft\.Communication\/(.+)$/i

type Place = { subscription: string; group: string | undefined; path: string; names: string[] }

export async function answerArm(cloud: Cloud, request: EmulatedRequest): Promise<EmulatedAnswer> {
  try {
    checkBearer(cloud, request)
    const place = placeOf(request.path)
    checkRights(cloud, request)
    checkScope(cloud, place)
    const version = versionOf(request)
    const handle = handlerOf(request, place)
    const { path, query, body } = request
    return await handle({ cloud, names: place.names, path, query, version, body })
  } catch (error) {
    if (error instanceof Refused) return error.answer
    throw error
  }
}

/** Every other part of a path is a name, beginning with the second. */
function placeOf(written: string): Place {
  const [, subscription, group, rest] = PATH.exec(written) ?? []
  if (subscription === undefined) {
    const message =
      'The request did not have a subscription or a valid tenant level resource provider.'
    throw new Refused(404, 'MissingSubscription', message)
  }
  const parts = rest!.split('/')
  const isName = (index: number) => index % 2 === 1
  return {
    subscription,
    group,
    path: parts.map((part, index) => (isName(index) ? '*' : part.toLowerCase())).join('/'),
    names: parts.filter((_, index) => isName(index)),
  }
}

function checkRights({ credentials, isForbidden }: Cloud, { path }: EmulatedRequest): void {
  if (!isForbidden) return
  const message = `The client '${credentials.clientId}' has no authorization over '${path}'.`
  throw new Refused(403, 'AuthorizationFailed', message)
}

function checkScope({ credentials }: Cloud, { subscription, group }: Place): void {
  if (subscription.toLowerCase() !== credentials.subscription.toLowerCase()) {
    const message = `The subscription '${subscription}' could not be found.`
    throw new Refused(404, 'SubscriptionNotFound', message)
  }
  if (group !== undefined && group.toLowerCase() !== credentials.resourceGroup.toLowerCase()) {
    const message = `Resource group '${group}' could not be found.`
    throw new Refused(404, 'ResourceGroupNotFound', message)
  }
}

function versionOf({ query }: EmulatedRequest): string {
  const version = query.get('api-version')
  if (version === null) {
    const message = 'The api-version query parameter (?api-version=) is required for all requests.'
    throw new Refused(400, 'MissingApiVersionParameter', message)
  }
  if (!VERSIONS.includes(version)) {
    const message = `No registered resource provider found for API version '${version}'.`
    throw new Refused(400, 'NoRegisteredProviderFound', message)
  }
  return version
}

function handlerOf({ method, path: target }: EmulatedRequest, { group, path }: Place): ArmHandler {
  const methods = (group === undefined ? SUBSCRIPTION_ROUTES : GROUP_ROUTES).get(path)
  if (methods === undefined) {
    const message = `The resource type of '${target}' could not be found.`
    throw new Refused(404, 'InvalidResourceType', message)
  }
  const handler = methods[method]
  if (handler) return handler
  throw new Refused(
    405,
    'MethodNotAllowed',
    `The resource does not support HTTP method '${method}'.`,
  )
}
