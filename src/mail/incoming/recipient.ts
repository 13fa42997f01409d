/** Whether an address is a recipient here (RFC 5321 section 3.3; enhanced codes of RFC 3463). */
import { alabels } from '#names/domain-name.ts'
import { bounceParent, readBounceAddress } from '../outgoing/bounce-address.ts'

/** The verdict on a recipient, with the reply for the client. */
export type RecipientVerdict =
  | { is: 'accepted' }
  | { is: 'refused' | 'deferred'; code: number; enhanced: string; text: string }

/** A mail domain's state here. `mailbox` is the localpart of the mailbox that receives, if any. */
export type MailDomain =
  | { is: 'hosted'; claimId: string; world: string; mailbox: string | undefined }
  | { is: 'tombstone' }
  | { is: 'unknown' }

/** The fields of one of our messages that a report on it needs. */
export type SentMessage = {
  id: string
  claimId: string
  world: string
  /** The localpart of the inbox that sent it; undefined for other mail, or once the inbox is removed. */
  inbox: string | undefined
  recipient: string
  messageId: string
}

export type RecipientStore = {
  mailDomain(domain: string, localparts: readonly string[]): Promise<MailDomain>
  isProbe(recipient: string): Promise<boolean>
  /** The message sent with this id from this domain, if known. */
  sentMessage(id: string, domain: string): Promise<SentMessage | undefined>
}

/** `mailHost` and `probeHost` are the installation's names, one pair for each world. */
export type RecipientWorld = { name: string; mailHost: string; probeHost: string }

/** What kind of recipient an address is. */
export type Recipient =
  | { is: 'probe'; world: string; address: string }
  /** The bounce address of one of our messages. */
  | { is: 'bounce'; world: string; address: string; sent: SentMessage }
  /** The installation itself: the operator reads this mail. */
  | { is: 'operator'; world: string; address: string }
  /** `localpart` names the mailbox, or a role that every domain has. */
  | { is: 'customer'; world: string; claimId: string; localpart: string; address: string }
  | Exclude<RecipientVerdict, { is: 'accepted' }>

/** RFC 5321 section 4.5.1 and RFC 2142 section 5: addresses that need no mailbox. */
const ROLES: readonly string[] = ['postmaster', 'abuse']
export const isRole = (localpart: string): boolean => ROLES.includes(localpart)
const PROBE = 'probe-'

/** The address of a probe that comes back to the domain it was sent from. */
export const probeAddress = (token: string, domain: string): string => `${PROBE}${token}@${domain}`

/** Finds what kind of recipient an address is. `written` may be a bare `postmaster`. */
export async function findRecipient(
  written: string,
  worlds: readonly RecipientWorld[],
  store: RecipientStore,
): Promise<Recipient> {
  const host = worlds[0]?.mailHost ?? ''
  const parts = foldAddress(written.includes('@') ? written : `${written}@${host}`)
  if (!parts) return refused('5.1.3', 'Bad recipient address')
  const { localpart, domain } = parts
  const address = `${localpart}@${domain}`
  const own = worlds.find(({ mailHost }) => mailHost === domain)
  if (own) {
    if (!isRole(localpart)) return refused('5.1.1', 'No such mailbox')
    return { is: 'operator', world: own.name, address }
  }
  const bounce = readBounceAddress(address)
  const sent = bounce && (await store.sentMessage(bounce.id, bounce.domain))
  if (sent) return { is: 'bounce', world: sent.world, address, sent }
  const probed = worlds.find(({ probeHost }) => probeHost === domain)
  if (probed || localpart.startsWith(PROBE)) {
    const isProbe = await store.isProbe(address)
    // A probe is never refused for good: its bounce would come back to the domain being proven.
    if (probed && !isProbe) return deferred('4.2.0', 'No probe expected here')
    if (probed) return { is: 'probe', world: probed.name, address }
    if (isProbe) return ofProbe(address, await store.mailDomain(domain, []))
  }
  const found = await store.mailDomain(domain, mailboxesFor(localpart))
  const parent = bounceParent(domain)
  if (found.is !== 'unknown' || parent === undefined) return ofDomain(parts, found)
  // Below the bounce domain only the domain's roles exist.
  return ofDomain(parts, await store.mailDomain(parent, []))
}

export const verdictOn = (recipient: Recipient): RecipientVerdict =>
  recipient.is === 'refused' || recipient.is === 'deferred' ? recipient : { is: 'accepted' }

function ofProbe(address: string, found: MailDomain): Recipient {
  if (found.is === 'hosted') return { is: 'probe', world: found.world, address }
  return deferred('4.2.0', 'This domain does not receive mail here yet')
}

function ofDomain({ localpart, domain }: Address, found: MailDomain): Recipient {
  if (found.is === 'tombstone')
    return deferred('4.3.2', 'This domain is being moved, try again later')
  if (found.is === 'unknown') return refused('5.7.1', 'We do not relay')
  const { world, claimId, mailbox } = found
  const role = isRole(localpart) ? localpart : undefined
  const holder = mailbox ?? role
  if (holder === undefined) return refused('5.1.1', 'No such mailbox')
  const address = `${localpart}@${domain}`
  return { is: 'customer', world, claimId, localpart: holder, address }
}

/** `kim+news` is delivered to `kim`, unless there is a mailbox of the whole name (RFC 5233). */
function mailboxesFor(localpart: string): readonly string[] {
  const plus = localpart.indexOf('+')
  return plus > 0 ? [localpart, localpart.slice(0, plus)] : [localpart]
}

type Address = { localpart: string; domain: string }

/**
 * An address in the form for comparison: lower-case, the domain in A-labels (RFC 5890), the localpart
 * without needless quotes (RFC 5321 section 4.1.2). Undefined where it is invalid.
 */
function foldAddress(written: string): Address | undefined {
  const at = written.lastIndexOf('@')
  if (at < 1) return undefined
  const domain = alabels(written.slice(at + 1).replace(/\.$/, ''))
  const localpart = unquoted(written.slice(0, at)).toLowerCase()
  return domain === undefined || localpart === '' ? undefined : { localpart, domain }
}

const unquoted = (localpart: string): string =>
  /^".*"$/s.test(localpart) ? localpart.slice(1, -1).replace(/\\(.)/gs, '$1') : localpart

const refused = (enhanced: string, text: string) =>
  ({ is: 'refused', code: 550, enhanced, text }) as const
const deferred = (enhanced: string, text: string) =>
  ({ is: 'deferred', code: 450, enhanced, text }) as const
