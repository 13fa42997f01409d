/**
 * Mail domains and mailboxes at a Mailcow host. A domain's description carries the claim's stamp. A read
 * confirms every write: Mailcow reports success without a change, and refuses what exists.
 */
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import { httpClient } from '../../http.ts'
import { type DriverKind, type Notes, secret, serviceUrl } from '../../kind.ts'
import type { ClaimRef, MailboxDriver } from '../contract.ts'
import { type MailcowApi, type MailcowDomain, mailcowApi, refusesUs, type Written } from './api.ts'
import {
  freshDomain,
  freshMailbox,
  isOurs,
  recordsFor,
  refusalOf,
  rejected,
  type Sizes,
} from './convert.ts'

const settings = z.strictObject({
  url: serviceUrl,
  api_key: secret,
  /** The MX of its domains; the host in the URL by default. No trailing dot. */
  mail_host: z.string().min(1).optional(),
  mailboxes: z.int().min(10).default(64),
  aliases: z.int().min(0).default(400),
  mailbox_mib: z.int().min(1).default(1024),
})

export const mailcow: DriverKind<MailboxDriver, z.infer<typeof settings>> = {
  settings,
  open({ url, api_key, mail_host, ...sizes }, { account, guard, notes, exclusive }) {
    const headers = { 'x-api-key': api_key }
    const http = httpClient({ provider: 'Mailcow', baseUrl: url, headers, guard, refusesUs })
    return mailcowDriver({
      api: mailcowApi(http),
      mailHost: mail_host ?? new URL(url).hostname,
      sizes,
      notes,
      alone: (claim, work, signal) => exclusive(`${account} ${claim.name}`, work, signal),
      oneDelete: (work, signal) => exclusive(`${account} deletes mailboxes`, work, signal),
    })
  },
}

/** Written before a domain is made: without it, a leftover key is not ours to remove. */
const MADE = 'made'

type Parts = {
  api: MailcowApi
  /** The MX, without a trailing dot. */
  mailHost: string
  sizes: Sizes
  notes: Notes
  /** Makes and removals of one domain take turns: the key of a half-made domain looks like a leftover. */
  alone<T>(
    claim: ClaimRef,
    work: (held: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>
  /** Concurrent deletes of mailboxes deadlock in Mailcow's database: those of an account take turns. */
  oneDelete<T>(work: (held: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>
}

export function mailcowDriver(parts: Parts): MailboxDriver {
  const { api, mailHost, sizes } = parts
  const present = async (claim: ClaimRef, signal: AbortSignal) => {
    const domain = await api.getDomain(claim.name, signal)
    return domain !== undefined && isOurs(claim, domain)
  }
  /** Some localparts, such as ones with a slash, appear only in the list. */
  const find = async (claim: ClaimRef, address: string, signal: AbortSignal) => {
    const found = await api.getMailbox(address, signal)
    if (found) return found
    const { mailboxes } = await api.listMailboxes(claim.name, signal)
    return mailboxes.find(({ username }) => username === address)
  }
  return {
    async ensureDomain(claim, signal) {
      const domain = await api.getDomain(claim.name, signal)
      if (domain && !isOurs(claim, domain)) throw foreign(claim, domain)
      if (domain && isOff(domain)) await switchOn(api, claim, signal)
      const key = await ensureKey(parts, claim, domain !== undefined, signal)
      return { records: recordsFor(claim, mailHost, key) }
    },
    async removeDomain(claim, signal) {
      await parts.alone(claim, (held) => removeDomain(parts, claim, held), signal)
    },
    async ensureMailbox(claim, localpart, signal) {
      if (!(await present(claim, signal))) throw noDomain(claim)
      const address = `${localpart}@${claim.name}`
      const there = await find(claim, address, signal)
      if (there) return there.active === 0 ? switchMailboxOn(api, address, signal) : undefined
      await parts.notes.write(claim.claimId, noteOf(address), 'true')
      const written = await api.addMailbox(freshMailbox(claim, localpart, sizes), signal)
      if (await find(claim, address, signal)) return undefined
      if (!(await present(claim, signal))) throw noDomain(claim)
      if (!written.done) return refusalOf(written.codes)
      throw new DriverError(
        'unavailable',
        'Mailcow says it made the mailbox, and does not show it.',
      )
    },
    async removeMailbox(claim, localpart, signal) {
      if (!(await present(claim, signal))) return
      const address = `${localpart}@${claim.name}`
      const isMade = await parts.notes.read(claim.claimId, noteOf(address))
      if (isMade || (await find(claim, address, signal))) {
        const written = await deleteMailboxes(parts, [address], signal)
        if (await find(claim, address, signal)) {
          orThrow(written)
          const sentence = 'Mailcow says it removed the mailbox, and still shows it.'
          throw new DriverError('unavailable', sentence)
        }
      }
      await parts.notes.drop(claim.claimId, [noteOf(address)])
    },
    async listMailboxes(claim, signal) {
      if (!(await present(claim, signal))) return []
      const { mailboxes } = await api.listMailboxes(claim.name, signal)
      return mailboxes.map(({ local_part }) => local_part).toSorted()
    },
  }
}

/** An inactive domain takes no mail. */
const isOff = ({ active }: MailcowDomain): boolean => active === 0

async function switchOn(api: MailcowApi, { name }: ClaimRef, signal: AbortSignal): Promise<void> {
  const written = await api.switchOn(name, signal)
  const domain = await api.getDomain(name, signal)
  if (!domain || !isOff(domain)) return
  orThrow(written)
  const sentence = 'Mailcow says it switched the domain on, and does not show it.'
  throw new DriverError('unavailable', sentence)
}

async function switchMailboxOn(
  api: MailcowApi,
  address: string,
  signal: AbortSignal,
): Promise<undefined> {
  const written = await api.switchMailboxOn(address, signal)
  const mailbox = await api.getMailbox(address, signal)
  if (mailbox?.active !== 0) return
  orThrow(written)
  const sentence = 'Mailcow says it switched the mailbox on, and does not show it.'
  throw new DriverError('unavailable', sentence)
}

async function makeDomain(
  { api, sizes, notes }: Parts,
  claim: ClaimRef,
  signal: AbortSignal,
): Promise<void> {
  const domain = await api.getDomain(claim.name, signal)
  if (domain && !isOurs(claim, domain)) throw foreign(claim, domain)
  if (domain) return
  await notes.write(claim.claimId, MADE, 'true')
  // Otherwise this domain would reuse the leftover key of a former one.
  if (await api.getDkim(claim.name, signal)) orThrow(await api.delete('dkim', [claim.name], signal))
  signal.throwIfAborted()
  orThrow(await api.addDomain(freshDomain(claim, sizes), untilAnswered()))
}

/**
 * The signal of a call that makes something. The call may take effect after the caller aborts, and an
 * earlier removal would leave an orphan: so it always waits for the answer, which the HTTP client
 * limits.
 */
const untilAnswered = (): AbortSignal => new AbortController().signal

/** Reads first: Mailcow refuses an existing key and an invalid name with the same code. */
async function ensureKey(parts: Parts, claim: ClaimRef, isMade: boolean, signal: AbortSignal) {
  const { api } = parts
  const there = isMade ? await api.getDkim(claim.name, signal) : undefined
  if (there) return there
  return parts.alone(
    claim,
    async (held) => {
      await makeDomain(parts, claim, held)
      const made = await api.getDkim(claim.name, held)
      if (made) return made
      held.throwIfAborted()
      const written = await api.addDkim(claim.name, untilAnswered())
      // In either case: a killed process may have made the key meanwhile.
      const added = await api.getDkim(claim.name, held)
      if (added) return added
      orThrow(written)
      throw new DriverError('unavailable', 'Mailcow made no DKIM key.')
    },
    signal,
  )
}

async function removeDomain(parts: Parts, claim: ClaimRef, signal: AbortSignal) {
  const { api, notes } = parts
  const domain = await api.getDomain(claim.name, signal)
  if (domain && !isOurs(claim, domain)) return
  if (!domain && !(await notes.read(claim.claimId, MADE))) return
  if (domain) await emptyAndDelete(parts, claim, signal)
  // The key outlives its domain, and the name's next domain would reuse it.
  const written = await api.delete('dkim', [claim.name], signal)
  // Perhaps there never was a key: Mailcow refuses to delete the key of a name it considers invalid.
  if (await api.getDkim(claim.name, signal)) {
    orThrow(written)
    throw new DriverError(
      'unavailable',
      'Mailcow says it removed the DKIM key, and still shows it.',
    )
  }
  await notes.forget(claim.claimId)
}

/** A mailbox may be made while its domain is emptied: it is emptied again, so many times. */
const ROUNDS = 3

async function emptyAndDelete(parts: Parts, claim: ClaimRef, signal: AbortSignal) {
  for (let round = 0; round < ROUNDS; round++) {
    const { done, codes } = await deleteOnce(parts, claim, signal)
    if ((await parts.api.getDomain(claim.name, signal)) === undefined) return
    if (!done && !codes.includes('domain_not_empty')) break
  }
  throw new DriverError('conflict', `Mailcow still has the domain ${claim.name}.`)
}

/** Mailcow does not remove a domain with mailboxes or resources. Aliases go with it. */
async function deleteOnce(parts: Parts, claim: ClaimRef, signal: AbortSignal) {
  const { api } = parts
  const addresses = await addressesIn(parts, claim, signal)
  if (addresses.length > 0) await deleteMailboxes(parts, addresses, signal)
  const written = await api.delete('domain', [claim.name], signal)
  if (written.done || !written.codes.includes('domain_not_empty')) return { codes: [], ...written }
  const resources = await api.listResources(claim.name, signal)
  if (resources.length > 0) await api.delete('resource', resources, signal)
  return { codes: [], ...(await api.delete('domain', [claim.name], signal)) }
}

/** Mailcow lists half-removed mailboxes without an address: our notes supply it. */
async function addressesIn({ api, notes }: Parts, claim: ClaimRef, signal: AbortSignal) {
  const { mailboxes, isWhole } = await api.listMailboxes(claim.name, signal)
  const shown = mailboxes.map(({ username }) => username)
  if (isWhole) return shown
  const made = (await notes.keys(claim.claimId)).flatMap((key) => addressOf(key) ?? [])
  return [...new Set([...shown, ...made])]
}

const MAILBOX_NOTE = 'mailbox '
const noteOf = (address: string): string => `${MAILBOX_NOTE}${address}`
const addressOf = (key: string): string | undefined =>
  key.startsWith(MAILBOX_NOTE) ? key.slice(MAILBOX_NOTE.length) : undefined

/** Each takes up to a second, and a call has a deadline. */
const DELETED_AT_ONCE = 5

/** Returns the last answer; the caller looks whether the mailboxes are gone. */
async function deleteMailboxes(
  { api, oneDelete }: Parts,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Written> {
  let written: Written = { done: true }
  for (let from = 0; from < addresses.length; from += DELETED_AT_ONCE) {
    const some = addresses.slice(from, from + DELETED_AT_ONCE)
    written = await oneDelete((held) => api.delete('mailbox', some, held), signal)
  }
  return written
}

function orThrow(written: Written): void {
  if (!written.done) throw rejected(written.codes)
}

function foreign({ name }: ClaimRef, found: MailcowDomain): DriverError {
  const what =
    found.domain_name === name
      ? 'a domain that this claim did not make'
      : 'an alias of another domain'
  return new DriverError('conflict', `At Mailcow, ${name} is ${what}.`)
}

const noDomain = ({ name }: ClaimRef): DriverError =>
  new DriverError('rejected', `There is no mail domain ${name} at Mailcow.`)
