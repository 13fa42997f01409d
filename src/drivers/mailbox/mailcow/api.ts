/**
 * The calls of Mailcow's REST API that we make. It refuses with HTTP 200, answers `{}` for absent
 * objects, and echoes its input, passwords too: of an answer to a write we keep only the codes.
 */
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import type { HttpAnswer, HttpCall, HttpClient, Refused } from '../../http.ts'
import { readAs } from '../../read-as.ts'

const PROVIDER = 'Mailcow'

const domain = z.object({
  domain_name: z.string(),
  description: z.string(),
  active: z.coerce.number(),
})
const aliasDomain = z.object({ alias_domain: z.string(), target_domain: z.string() })
const dkim = z.object({ dkim_txt: z.string().min(1), dkim_selector: z.string().min(1) })
const mailbox = z.object({
  username: z.string(),
  domain: z.string(),
  local_part: z.string(),
  active: z.coerce.number(),
})
const resource = z.object({ name: z.string(), domain: z.string() })
/** `msg` is a code, or a code with its arguments. */
const entry = z.object({
  type: z.enum(['success', 'warning', 'info', 'danger', 'error']),
  msg: z.union([z.string(), z.array(z.union([z.string(), z.number()]))]),
})

export type MailcowDomain = z.infer<typeof domain>
export type MailcowMailbox = z.infer<typeof mailbox>
export type NewDomain = Record<'domain' | 'description', string> &
  Record<
    'aliases' | 'mailboxes' | 'defquota' | 'maxquota' | 'quota' | 'active' | 'restart_sogo',
    number
  >

/** The result of a write: done, or the provider's codes for why not. */
export type Written = { done: true } | { done: false; codes: readonly string[] }

export type MailcowApi = ReturnType<typeof mailcowApi>

export function mailcowApi(http: HttpClient) {
  const get = async (path: string, signal: AbortSignal): Promise<unknown> => {
    const call = { method: 'GET' as const, path: `/api/v1/get/${path}` }
    const first = expected(await http(call, signal))
    // A passing database fault also gives an empty answer; a wrong key gives it again.
    const found = first ?? expected(await http({ ...call, isRepeated: true }, signal))
    return isThere(found) ? found : undefined
  }
  const post = async (path: string, json: unknown, signal: AbortSignal): Promise<Written> => {
    const answer = expected(await http({ method: 'POST', path: `/api/v1/${path}`, json }, signal))
    if (answer === undefined) throw new DriverError('unavailable', `${PROVIDER} answered nothing.`)
    return outcomeOf(answer)
  }
  /** The valid entries of a list, and whether all are valid. */
  const listed = async <T>(shape: z.ZodType<T>, path: string, signal: AbortSignal) => {
    const found = await get(path, signal)
    const read = found === undefined ? [] : readAs(PROVIDER, z.array(z.unknown()), found)
    const entries = read.flatMap((each) => shape.safeParse(each).data ?? [])
    return { entries, isWhole: entries.length === read.length }
  }
  return {
    /** For an alias domain, Mailcow returns its target domain: then `domain_name` differs. */
    async getDomain(name: string, signal: AbortSignal): Promise<MailcowDomain | undefined> {
      const found = await get(`domain/${encodeURIComponent(name)}`, signal)
      const read = found === undefined ? undefined : readAs(PROVIDER, domain, found)
      if (read === undefined || read.domain_name === name) return read
      const alias = await get(`alias-domain/${encodeURIComponent(name)}`, signal)
      const of = alias === undefined ? undefined : readAs(PROVIDER, aliasDomain, alias)
      return about(read, of?.alias_domain === name && of.target_domain === read.domain_name)
    },
    async getDkim(name: string, signal: AbortSignal) {
      const found = await get(`dkim/${encodeURIComponent(name)}`, signal)
      return found === undefined ? undefined : readAs(PROVIDER, dkim, found)
    },
    async getMailbox(address: string, signal: AbortSignal): Promise<MailcowMailbox | undefined> {
      const found = await get(`mailbox/${encodeURIComponent(address)}`, signal)
      if (found === undefined || isBroken(found)) return undefined
      const read = readAs(PROVIDER, mailbox, found)
      return about(read, read.username === address)
    },
    /** `isWhole` is false with invalid entries, such as half-removed mailboxes. */
    async listMailboxes(name: string, signal: AbortSignal) {
      const path = `mailbox/all/${encodeURIComponent(name)}`
      const { entries, isWhole } = await listed(mailbox, path, signal)
      return about(
        { mailboxes: entries, isWhole },
        entries.every((each) => each.domain === name),
      )
    },
    /** The names of the domain's resources, such as rooms. */
    async listResources(name: string, signal: AbortSignal): Promise<readonly string[]> {
      const { entries } = await listed(resource, 'resource/all', signal)
      return entries.filter((each) => each.domain === name).map((each) => each.name)
    },
    addDomain: (fresh: NewDomain, signal: AbortSignal) => post('add/domain', fresh, signal),
    switchOn: (name: string, signal: AbortSignal) =>
      post('edit/domain', { items: [name], attr: { active: 1 } }, signal),
    switchMailboxOn: (address: string, signal: AbortSignal) =>
      post('edit/mailbox', { items: [address], attr: { active: 1 } }, signal),
    addDkim: (name: string, signal: AbortSignal) =>
      post('add/dkim', { domains: name, dkim_selector: 'dkim', key_size: 2048 }, signal),
    addMailbox: (fresh: object, signal: AbortSignal) => post('add/mailbox', fresh, signal),
    delete: (
      what: 'domain' | 'dkim' | 'mailbox' | 'resource',
      items: readonly string[],
      signal: AbortSignal,
    ) => post(`delete/${what}`, items, signal),
  }
}

function expected({ status, json }: HttpAnswer): unknown {
  if (status === 200) return json
  throw new DriverError('unavailable', `${PROVIDER} answered ${status} unexpectedly.`)
}

/**
 * With a wrong key, Mailcow answers a GET with 200 and no body, rather than 401. A database fault gives
 * the same answer: only a second one to a repeated GET means the key.
 */
export const refusesUs = (
  { status, json }: HttpAnswer,
  { isRepeated = false }: HttpCall,
): Refused | undefined =>
  status === 200 && json === undefined && isRepeated ? 'credentials' : undefined

/** A half-removed mailbox: an entry without a name. */
const isBroken = (found: unknown): boolean =>
  z.object({ username: z.null() }).safeParse(found).success

/** Mailcow answers `{}` for an absent object and for an empty list. */
const isThere = (json: unknown): boolean =>
  typeof json !== 'object' || json === null || Object.keys(json).length > 0

function outcomeOf(json: unknown): Written {
  const entries = readAs(
    PROVIDER,
    z.union([z.array(entry).min(1), entry.transform((one) => [one])]),
    json,
  )
  const refusals = entries.filter(({ type }) => type === 'danger' || type === 'error')
  if (refusals.length === 0) return { done: true }
  return { done: false, codes: refusals.map(({ msg }) => String([msg].flat()[0])) }
}

/** Rejects an answer about another object than the one requested. */
function about<T>(read: T, isRight: boolean): T {
  if (isRight) return read
  throw new DriverError('unavailable', `${PROVIDER} answered with another domain's data.`)
}
