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
}

export function mailcowDriver(parts: Parts): MailboxDriver {
  const { api, mailHost, sizes } = parts
  const present = async (claim: ClaimRef, signal: AbortSignal) => {
    const domain = await api.getDomain(claim.name, signal)
    return domain !== undefined && isOurs(claim, domain)
  }
  /** Some localparts, with a slash in them say, are shown in the list alone. */
  const shows = async (claim: ClaimRef, address: string, signal: AbortSignal) => {
    if (await api.getMailbox(address, signal)) return true
    const listed = await api.listMailboxes(claim.name, signal)
    return listed.some(({ username }) => username === address)
  }
  return {
    async ensureDomain(claim, signal) {
      const domain = await api.getDomain(claim.name, signal)
      if (domain && !isOurs(claim, domain)) throw foreign(claim)
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
      if (await shows(claim, address, signal)) return undefined
      const written = await api.addMailbox(freshMailbox(claim, localpart, sizes), signal)
      if (await shows(claim, address, signal)) return undefined
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
      if (!(await shows(claim, address, signal))) return
      const written = await api.delete('mailbox', [address], signal)
      if (!(await shows(claim, address, signal))) return
      if (!written.done) throw rejected(written.codes)
      throw new DriverError(
        'unavailable',
        'Mailcow says it removed the mailbox, and still shows it.',
      )
    },
    async listMailboxes(claim, signal) {
      if (!(await present(claim, signal))) return []
      const mailboxes = await api.listMailboxes(claim.name, signal)
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

async function makeDomain(
  { api, sizes, notes }: Parts,
  claim: ClaimRef,
  signal: AbortSignal,
): Promise<void> {
  const domain = await api.getDomain(claim.name, signal)
  if (domain && !isOurs(claim, domain)) throw foreign(claim)
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

async function removeDomain({ api, notes }: Parts, claim: ClaimRef, signal: AbortSignal) {
  const domain = await api.getDomain(claim.name, signal)
  if (domain && !isOurs(claim, domain)) return
  if (!domain && !(await notes.read(claim.claimId, MADE))) return
  if (domain) await emptyAndDelete(api, claim, signal)
  // The key outlives its domain, and would be handed to whoever brings the name next.
  orThrow(await api.delete('dkim', [claim.name], signal))
  await notes.forget(claim.claimId)
}

/** A mailbox may come to be while its domain is emptied: then it is emptied again, so many times. */
const ROUNDS = 3

async function emptyAndDelete(api: MailcowApi, claim: ClaimRef, signal: AbortSignal) {
  for (let round = 0; round < ROUNDS; round++) {
    const { done, codes } = await deleteOnce(api, claim, signal)
    if ((await api.getDomain(claim.name, signal)) === undefined) return
    if (!done && !codes.includes('domain_not_empty')) break
  }
  throw new DriverError('conflict', `Mailcow still has the domain ${claim.name}.`)
}

/** From the inside out: a domain with anything in it is not removed. */
async function deleteOnce(api: MailcowApi, { name }: ClaimRef, signal: AbortSignal) {
  const mailboxes = await api.listMailboxes(name, signal)
  const addresses = mailboxes.map(({ username }) => username)
  if (addresses.length > 0) await api.delete('mailbox', addresses, signal)
  const written = await api.delete('domain', [name], signal)
  if (written.done || !written.codes.includes('domain_not_empty')) return { codes: [], ...written }
  const aliases = await api.listAliases(name, signal)
  if (aliases.length > 0) await api.delete('alias', aliases, signal)
  return { codes: [], ...(await api.delete('domain', [name], signal)) }
}

function orThrow(written: Written): void {
  if (!written.done) throw rejected(written.codes)
}

const foreign = ({ name }: ClaimRef): DriverError =>
  new DriverError('conflict', `Mailcow has a domain ${name} that this claim did not make.`)

const noDomain = ({ name }: ClaimRef): DriverError =>
  new DriverError('rejected', `There is no mail domain ${name} at Mailcow.`)
