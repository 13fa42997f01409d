/** Whether a message may leave: checked when it is accepted, and again at each attempt. Pure. */

/** `allowed`, `held` for now, or `ended`: the name has another holder, or removal began. */
export type Sending = 'allowed' | 'held' | 'ended'

/** A reached limit on the messages of any 24 hours, and when the next one may go. */
export type ReachedLimit = {
  of: 'inbox' | 'new workspace' | 'workspace' | 'installation'
  limit: number
  endsAt: Date
}

/** The operator's stop of all sending. */
export type Stop = { reason: string; at: Date }

export type Facts = {
  /** Absent at an attempt: nothing is attempted then. */
  stop?: Stop | undefined
  domain: Sending
  /** `none`: no inbox sent the message. */
  inbox: 'none' | 'there' | 'paused' | 'removed'
  recipient: 'accepts' | 'suppressed'
  octets: number
  /** Empty at an attempt: accepted messages are counted already. */
  reached: readonly ReachedLimit[]
}

/** Why a message may not leave. A `held` one waits, an `ended` one fails; `reply` is as of SMTP. */
export type Obstacle =
  | { is: 'held' | 'ended'; check: string; reply: string }
  | { is: 'stopped'; check: string; reply: string; stop: Stop }
  | { is: 'limited'; check: string; reply: string; reached: ReachedLimit }

/** What most receivers accept. */
export const CONTENT_LIMIT = 25 * 1024 * 1024

type Check = (facts: Facts) => Obstacle | undefined

const sendingIsOn: Check = ({ stop }) =>
  stop && {
    is: 'stopped',
    check: 'sending_is_on',
    reply: '4.7.1 held: the operator stopped all sending',
    stop,
  }

// RFC 3463 section 3.8: X.7.1 is mail that policy keeps from being delivered.
const domainMaySend: Check = ({ domain }) => {
  const check = 'domain_may_send'
  if (domain === 'ended')
    return { is: 'ended', check, reply: '5.7.1 the domain is not ours to send for any more' }
  if (domain === 'held')
    return { is: 'held', check, reply: '4.7.1 held: the domain may not send for now' }
  return undefined
}

const inboxMaySend: Check = ({ inbox }) => {
  const check = 'inbox_may_send'
  if (inbox === 'removed') return { is: 'ended', check, reply: '5.7.1 the inbox has been removed' }
  if (inbox === 'paused') return { is: 'held', check, reply: '4.7.1 held: the inbox is paused' }
  return undefined
}

const recipientIsNotSuppressed: Check = ({ recipient }) =>
  recipient === 'suppressed'
    ? {
        is: 'ended',
        check: 'recipient_is_not_suppressed',
        reply: '5.7.1 the recipient gets no mail from here',
      }
    : undefined

const messageIsOfSize: Check = ({ octets }) =>
  octets > CONTENT_LIMIT
    ? { is: 'ended', check: 'message_is_of_size', reply: '5.3.4 the message is too big' }
    : undefined

const limitsHaveRoom: Check = ({ reached }) => {
  const [last] = reached.toSorted((a, b) => b.endsAt.getTime() - a.endsAt.getTime())
  const reply = `4.7.1 the limit of the ${last?.of} is reached`
  return last && { is: 'limited', check: 'limits_have_room', reply, reached: last }
}

/** Every check; the first objection is reported. */
export const READY_TO_SEND: readonly Check[] = [
  sendingIsOn,
  domainMaySend,
  inboxMaySend,
  recipientIsNotSuppressed,
  messageIsOfSize,
  limitsHaveRoom,
]

export function obstacleTo(facts: Facts): Obstacle | undefined {
  for (const check of READY_TO_SEND) {
    const obstacle = check(facts)
    if (obstacle) return obstacle
  }
  return undefined
}

/** The operator stopped all sending: the attempt was not begun, or ended before the message left. */
export class SendingStopped extends Error {
  override readonly name = 'SendingStopped'
}

/** The message was not accepted. */
export class NotAccepted extends Error {
  override readonly name = 'NotAccepted'
  readonly obstacle: Obstacle

  constructor(obstacle: Obstacle) {
    super(obstacle.reply)
    this.obstacle = obstacle
  }
}
