/**
 * The calls of mailcow's REST API that we make. It refuses with HTTP 200, says `{}` for what is absent,
 * and echoes what it was sent, passwords too: of an answer to a write nothing but its codes is kept.
 */
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import type { HttpAnswer, HttpClient, Refused } from '../../http.ts'
import { readAs } from '../../read-as.ts'

const PROVIDER = 'Mailcow'

const domain = z.object({
  domain_name: z.string(),
  description: z.string(),
  active: z.coerce.number(),
})
const dkim = z.object({ dkim_txt: z.string().min(1), dkim_selector: z.string().min(1) })
const mailbox = z.object({ username: z.string(), domain: z.string(), local_part: z.string() })
const alias = z.object({ id: z.union([z.int(), z.string()]), domain: z.string() })
/** `msg` is a code, or a code with what it is about. */
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

/** How a write went: done, or the provider's own codes for why not. */
export type Written = { done: true } | { done: false; codes: readonly string[] }

export type MailcowApi = ReturnType<typeof mailcowApi>

export function mailcowApi(http: HttpClient) {
  const get = async (path: string, signal: AbortSignal): Promise<unknown> => {
    const answer = await http({ method: 'GET', path: `/api/v1/get/${path}` }, signal)
    return isThere(expected(answer)) ? answer.json : undefined
  }
  const post = async (path: string, json: unknown, signal: AbortSignal): Promise<Written> =>
    outcomeOf(expected(await http({ method: 'POST', path: `/api/v1/${path}`, json }, signal)))
  return {
    async getDomain(name: string, signal: AbortSignal): Promise<MailcowDomain | undefined> {
      const found = await get(`domain/${encodeURIComponent(name)}`, signal)
      const read = found === undefined ? undefined : readAs(PROVIDER, domain, found)
      return read && about(read, read.domain_name === name)
    },
    async getDkim(name: string, signal: AbortSignal) {
      const found = await get(`dkim/${encodeURIComponent(name)}`, signal)
      return found === undefined ? undefined : readAs(PROVIDER, dkim, found)
    },
    async getMailbox(address: string, signal: AbortSignal): Promise<MailcowMailbox | undefined> {
      const found = await get(`mailbox/${encodeURIComponent(address)}`, signal)
      const read = found === undefined ? undefined : readAs(PROVIDER, mailbox, found)
      return read && about(read, read.username === address)
    },
    async listMailboxes(name: string, signal: AbortSignal): Promise<readonly MailcowMailbox[]> {
      const found = await get(`mailbox/all/${encodeURIComponent(name)}`, signal)
      const read = found === undefined ? [] : readAs(PROVIDER, z.array(mailbox), found)
      return about(
        read,
        read.every((each) => each.domain === name),
      )
    },
    async listAliases(name: string, signal: AbortSignal): Promise<readonly string[]> {
      const found = await get('alias/all', signal)
      const read = found === undefined ? [] : readAs(PROVIDER, z.array(alias), found)
      return read.filter((each) => each.domain === name).map(({ id }) => String(id))
    },
    addDomain: (fresh: NewDomain, signal: AbortSignal) => post('add/domain', fresh, signal),
    switchOn: (name: string, signal: AbortSignal) =>
      post('edit/domain', { items: [name], attr: { active: 1 } }, signal),
    addDkim: (name: string, signal: AbortSignal) =>
      post('add/dkim', { domains: name, dkim_selector: 'dkim', key_size: 2048 }, signal),
    addMailbox: (fresh: object, signal: AbortSignal) => post('add/mailbox', fresh, signal),
    delete: (
      what: 'domain' | 'dkim' | 'mailbox' | 'alias',
      items: readonly string[],
      signal: AbortSignal,
    ) => post(`delete/${what}`, items, signal),
  }
}

function expected({ status, json }: HttpAnswer): unknown {
  if (status === 200) return json
  throw new DriverError('unavailable', `${PROVIDER} answered ${status} unexpectedly.`)
}

/** Without a key that reaches it, Mailcow answers 200 and nothing, rather than 401. */
export const refusesUs = ({ status, json }: HttpAnswer): Refused | undefined =>
  status === 200 && json === undefined ? 'credentials' : undefined

/** What is absent is `{}`; so is an empty list. */
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

/** An answer about something else than what was asked for must not be acted upon. */
function about<T>(read: T, isRight: boolean): T {
  if (isRight) return read
  throw new DriverError('unavailable', `${PROVIDER} answered with another domain's data.`)
}
