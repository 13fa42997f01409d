/** Whether a message may leave: asked when it is accepted, and again at each attempt. Pure. */

/** `allowed`, `held` for now, or `ended`: the name is another's, or the domain is being removed. */
export type Sending = 'allowed' | 'held' | 'ended'

/** A limit on the messages of any 24 hours that is reached, and when it lets the next one through. */
export type ReachedLimit = {
  of: 'inbox' | 'workspace' | 'installation'
  limit: number
  endsAt: Date
}

export type Facts = {
  domain: Sending
  /** `none`: the message is not from an inbox. */
  inbox: 'none' | 'there' | 'removed'
  octets: number
  /** Empty at an attempt: what was accepted has been counted. */
  reached: readonly ReachedLimit[]
}

/** Why it may not. A `held` message waits, an `ended` one is given up; the reply is as of SMTP. */
export type Obstacle =
  | { is: 'held' | 'ended'; check: string; reply: string }
  | { is: 'limited'; check: string; reply: string; reached: ReachedLimit }

/** Of what most receivers take. */
export const CONTENT_LIMIT = 25 * 1024 * 1024

type Check = (facts: Facts) => Obstacle | undefined

// RFC 3463 section 3.8: X.7.1 is mail that policy keeps from being delivered.
const domainMaySend: Check = ({ domain }) => {
  const check = 'domain_may_send'
  if (domain === 'ended')
    return { is: 'ended', check, reply: '5.7.1 the domain is not ours to send for any more' }
  if (domain === 'held')
    return { is: 'held', check, reply: '4.7.1 held: the domain may not send for now' }
  return undefined
}

const inboxIsThere: Check = ({ inbox }) =>
  inbox === 'removed'
    ? { is: 'ended', check: 'inbox_is_there', reply: '5.7.1 the inbox has been removed' }
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

/** Every check, in the order in which the first that objects is told. */
export const READY_TO_SEND: readonly Check[] = [
  domainMaySend,
  inboxIsThere,
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

/** A message that was not accepted. */
export class NotAccepted extends Error {
  override readonly name = 'NotAccepted'
  readonly obstacle: Obstacle

  constructor(obstacle: Obstacle) {
    super(obstacle.reply)
    this.obstacle = obstacle
  }
}
