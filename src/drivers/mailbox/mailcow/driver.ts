/**
 * Mail domains and mailboxes at a Mailcow host. A domain's description carries the claim's stamp. Every
 * write is confirmed by a look, for Mailcow says success to what changed nothing, and refuses what is so.
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
  /** Where the MX of its domains points to; the host in the URL by default. No trailing dot. */
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

/** Written before a domain is made: only then is a key that outlived its domain ours to remove. */
const MADE = 'made'

type Parts = {
  api: MailcowApi
  /** Where the MX points to, without a trailing dot. */
  mailHost: string
  sizes: Sizes
  notes: Notes
  /** Makes and removals of one domain take turns: a half-made one's key looks like one left behind. */
  alone<T>(
    claim: ClaimRef,
    work: (held: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>
  /** Deletes of mailboxes that run at once deadlock in Mailcow's database: those of an account take turns. */
  oneDelete<T>(work: (held: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>
}

export function mailcowDriver(parts: Parts): MailboxDriver {
  const { api, mailHost, sizes } = parts
  const present = async (claim: ClaimRef, signal: AbortSignal) => {
    const domain = await api.getDomain(claim.name, signal)
    return domain !== undefined && isOurs(claim, domain)
  }
  /** Some localparts, with a slash in them say, are shown in the list alone. */
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

/** A domain that is off takes no mail. */
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
  // A key that a former domain of the name left behind would become this one's.
  if (await api.getDkim(claim.name, signal)) orThrow(await api.delete('dkim', [claim.name], signal))
  signal.throwIfAborted()
  orThrow(await api.addDomain(freshDomain(claim, sizes), untilAnswered()))
}

/**
 * The signal of a call that makes something. It may take effect although nobody waits for it any more,
 * and a removal that came before that would leave an orphan: so whoever aborts waits for its answer all
 * the same, which the HTTP client limits.
 */
const untilAnswered = (): AbortSignal => new AbortController().signal

/** Read first: a key that is there and a name that is none are refused with the same code. */
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
      // Refused or not: a call of a process that was killed may have made it meanwhile.
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
  // The key outlives its domain, and would become that of whoever brings the name next.
  const written = await api.delete('dkim', [claim.name], signal)
  // Nothing may ever have been made: a name that Mailcow takes for none has no key that it could delete.
  if (await api.getDkim(claim.name, signal)) {
    orThrow(written)
    throw new DriverError(
      'unavailable',
      'Mailcow says it removed the DKIM key, and still shows it.',
    )
  }
  await notes.forget(claim.claimId)
}

/** A mailbox may come to be while its domain is emptied: then it is emptied again, so many times. */
const ROUNDS = 3

async function emptyAndDelete(parts: Parts, claim: ClaimRef, signal: AbortSignal) {
  for (let round = 0; round < ROUNDS; round++) {
    const { done, codes } = await deleteOnce(parts, claim, signal)
    if ((await parts.api.getDomain(claim.name, signal)) === undefined) return
    if (!done && !codes.includes('domain_not_empty')) break
  }
  throw new DriverError('conflict', `Mailcow still has the domain ${claim.name}.`)
}

/** From the inside out: a domain with mailboxes or resources in it is not removed. Aliases go with it. */
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

/** Of a mailbox whose removal broke off, Mailcow shows no address: then what we made tells it. */
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

/** How it went with the last of them; whether they are gone, a look says. */
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
