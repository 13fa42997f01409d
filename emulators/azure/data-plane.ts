/** The communication service's own API: takes messages to send, and returns their outcome. */
import { randomUUID } from 'node:crypto'
import { splitAddress } from '#names/localpart.ts'
import type { EmulatedAnswer, EmulatedRequest } from '../server.ts'
import { Refused } from './answers.ts'
import { compose } from './compose.ts'
import type { DeliveryReport, DeliveryStatus } from './events.ts'
import { signerOf } from './hmac.ts'
import { type Message, parseMessage, recipientsOf, wantedMessageId } from './message.ts'
import type { Quota } from './quota.ts'
import {
  type Cloud,
  type CommunicationService,
  type Domain,
  domainOfId,
  resourceId,
} from './state.ts'
import { isSuppressed } from './suppression.ts'

export type SentMessage = {
  operationId: string
  from: string
  /** All recipients, whether named in the message or not. */
  to: readonly string[]
  subject: string
  raw: Buffer
}

export type Delivery = { envelopeSender: string; recipient: string; raw: Buffer }

export type DataPlaneOptions = {
  deliver(message: Delivery): Promise<void>
  isBouncing(recipient: string): boolean
  /** The outcome of a message at one recipient. */
  report(report: DeliveryReport): Promise<void>
}

/** One send, from its acceptance on. */
export type Send = {
  id: string
  service: string
  status: 'Running' | 'Succeeded' | 'Failed'
  error: { code: string; message: string } | undefined
  about: Omit<DeliveryReport, 'recipient' | 'status' | 'statusMessage'>
  recipients: readonly string[]
}

export type DataPlane = {
  sends: Map<string, Send>
  sent: SentMessage[]
  usedMessageIds: Set<string>
  /** Work that continues after the answer. */
  underWay: Set<Promise<void>>
} & DataPlaneOptions

const VERSIONS = ['2023-03-31', '2025-09-01']
const OPERATION = /^\/emails\/operations\/([^/]+)$/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const RETRY_AFTER_S = '0'

export async function answerDataPlane(
  cloud: Cloud,
  plane: DataPlane,
  request: EmulatedRequest,
): Promise<EmulatedAnswer> {
  try {
    const signer = signerOf(cloud, request)
    const isSend = request.path === '/emails:send' && request.method === 'POST'
    const [, operation] = OPERATION.exec(request.path) ?? []
    const isStatus = operation !== undefined && request.method === 'GET'
    if (!isSend && !isStatus) throw new Refused(404, 'NotFound', 'There is nothing here.')
    checkVersion(request)
    if (isSend) return await acceptSend(cloud, plane, signer, request)
    take(cloud.statusQuota)
    return showSend(plane, signer, operation!)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    const headers = { ...error.answer.headers, 'x-ms-error-code': error.code }
    return { ...error.answer, headers }
  }
}

function checkVersion({ query }: EmulatedRequest): void {
  const version = query.get('api-version') ?? ''
  if (VERSIONS.includes(version)) return
  throw new Refused(400, 'UnsupportedApiVersion', `The API version '${version}' is not supported.`)
}

function take(quota: Quota): void {
  const wait = quota.take()
  if (wait === undefined) return
  const message = 'Too many requests were sent. Try again later.'
  throw new Refused(429, 'TooManyRequests', message, { 'retry-after': String(wait) })
}

async function acceptSend(
  cloud: Cloud,
  plane: DataPlane,
  signer: CommunicationService,
  request: EmulatedRequest,
): Promise<EmulatedAnswer> {
  // The code was reported; status and sentence are ours.
  if (cloud.isSendingBlocked) {
    throw new Refused(403, 'SubscriptionBlocked', 'The subscription is blocked from sending.')
  }
  const id = operationIdOf(plane, request)
  const message = parseMessage(request.body)
  const { domain, username, displayName } = senderOf(cloud, signer, message)
  const messageId =
    wantedMessageId(message, plane.usedMessageIds) ?? `<${randomUUID()}@${domain.name}>`
  take(cloud.sendQuota)
  const send = newSend(cloud, signer, id, message, messageId)
  plane.sends.set(id, send)
  plane.usedMessageIds.add(messageId)
  const author = { displayName, domain: domain.name, messageId }
  const suppressed = (recipient: string) => isSuppressed(domain, username, recipient)
  const raw = await compose(message, author, cloud.key)
  goOn(plane, finish(plane, send, { raw, subject: message.content.subject, domain, suppressed }))
  const version = request.query.get('api-version')
  const location = `${originOf(request)}/emails/operations/${id}?api-version=${version}`
  return {
    status: 202,
    headers: { 'operation-location': location, 'retry-after': RETRY_AFTER_S },
    json: { id, status: 'Running' },
  }
}

const originOf = ({ headers }: EmulatedRequest): string => `http://${headers.host}`

/** Refusing a repeated id is as others report; the documentation says only that clients may choose it. */
function operationIdOf({ sends }: DataPlane, { headers }: EmulatedRequest): string {
  const given = headers['operation-id']
  if (given === undefined) return randomUUID()
  if (typeof given !== 'string' || !UUID.test(given)) {
    throw new Refused(400, 'BadRequest', "The header 'Operation-Id' is not a UUID.")
  }
  if (sends.has(given.toLowerCase())) {
    throw new Refused(409, 'Conflict', `The operation '${given}' exists already.`)
  }
  return given.toLowerCase()
}

type Sender = { domain: Domain; username: string; displayName: string | undefined }

function senderOf(cloud: Cloud, signer: CommunicationService, message: Message): Sender {
  const { localpart, domain: name } = splitAddress(message.senderAddress)!
  const linked = signer.linkedDomains.map((id) => domainOfId(cloud, id))
  const domain = linked.find((one) => one?.name.toLowerCase() === name)
  if (domain?.provisioningState !== 'Succeeded') {
    const message = 'The specified sender domain has not been linked.'
    throw new Refused(cloud.settings.notLinkedStatus, 'DomainNotLinked', message)
  }
  const sender = domain.senders.get(localpart)
  if (sender) return { domain, ...sender }
  throw new Refused(400, 'InvalidSenderUserName', `Invalid email sender username '${localpart}'.`)
}

const newSend = (
  cloud: Cloud,
  { name }: CommunicationService,
  id: string,
  message: Message,
  messageId: string,
): Send => ({
  id,
  service: name,
  status: 'Running',
  error: undefined,
  about: {
    topic: resourceId(cloud, `communicationServices/${name}`),
    sender: message.senderAddress,
    operationId: id,
    messageId,
  },
  recipients: recipientsOf(message),
})

function goOn({ underWay }: DataPlane, work: Promise<void>): void {
  underWay.add(work)
  void work.finally(() => underWay.delete(work))
}

type Ready = {
  raw: Buffer
  subject: string
  domain: Domain
  suppressed(recipient: string): boolean
}

/** Hands the message to every recipient not on a list, marks the send as finished, then reports. */
async function finish(plane: DataPlane, send: Send, ready: Ready): Promise<void> {
  const to = send.recipients.filter((recipient) => !ready.suppressed(recipient))
  const { about, id } = send
  if (to.length > 0) {
    plane.sent.push({
      operationId: id,
      from: about.sender,
      to,
      subject: ready.subject,
      raw: ready.raw,
    })
  }
  const outcomes = await Promise.all(
    send.recipients.map((recipient) => attempt(plane, ready, recipient)),
  )
  send.status = to.length > 0 ? 'Succeeded' : 'Failed'
  send.error =
    to.length > 0
      ? undefined
      : {
          code: 'EmailDroppedAllRecipientsSuppressed',
          message: 'All recipients are on suppression lists.',
        }
  // A webhook that refuses events does not undo the send.
  await Promise.allSettled(outcomes.map((outcome) => plane.report({ ...about, ...outcome })))
}

type Outcome = Pick<DeliveryReport, 'recipient' | 'status' | 'statusMessage'>

async function attempt(plane: DataPlane, ready: Ready, recipient: string): Promise<Outcome> {
  const as = (status: DeliveryStatus, statusMessage: string) => ({
    recipient,
    status,
    statusMessage,
  })
  if (ready.suppressed(recipient)) return as('Suppressed', 'On a suppression list')
  if (plane.isBouncing(recipient)) return as('Bounced', '550 5.1.1 No such recipient')
  const envelopeSender = `donotreply@${ready.domain.name}`
  try {
    await plane.deliver({ envelopeSender, recipient, raw: ready.raw })
    return as('Delivered', '250 2.0.0 Taken')
  } catch (error) {
    return as('Bounced', error instanceof Error ? error.message : String(error))
  }
}

/** Only the service that began an operation can see it. */
function showSend({ sends }: DataPlane, signer: CommunicationService, id: string): EmulatedAnswer {
  const send = sends.get(id.toLowerCase())
  if (send?.service !== signer.name) {
    throw new Refused(404, 'NotFound', `There is no operation '${id}'.`)
  }
  const { status, error } = send
  return {
    status: 200,
    headers: { 'retry-after': RETRY_AFTER_S },
    json: { id: send.id, status, ...(error && { error }) },
  }
}
