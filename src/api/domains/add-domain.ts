import { z } from 'zod'
import { parseDomainName, refusalIn } from '#names/domain-name.ts'
import { type AddResult, addDomain } from '#store/add-domain.ts'
import type { ApiKey } from '#store/api-keys.ts'
import { type AccountCandidates, chooseAccounts } from '#store/choose-accounts.ts'
import { type DomainRow, findDomain, nameserversOf } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Invalid, Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { SUCCESS } from '../http/shapes.ts'
import { askOrKnown, waitForDomain } from '../http/wait.ts'
import { domainAdded } from './answers.ts'
import { progressUrl } from './domain-views.ts'

const account = z.string().max(40).optional()
const providers = z.object({
  dns: account.describe('The account of the zone host.'),
  sender: account.describe('The account of the sender service.'),
  mailbox: account.describe('The account of the mailbox service.'),
})

const body = z.object({
  domain: z
    .string()
    .min(1)
    .max(1000)
    .describe(
      'A host name, in any case, with or without its final dot: `MAIL.Example.TEST.` is `mail.example.test`.',
    )
    .meta({ examples: ['mail.example.test'] }),
  auto_activate: z
    .boolean()
    .default(true)
    .describe(
      'Mailstead registers the domain at its mail services as soon as it sees the delegation; with `false` it waits for `POST …/activate`.',
    ),
  import_records: z
    .boolean()
    .default(true)
    .describe(
      'Mailstead looks up the records that the current nameservers serve, and serves them too.',
    ),
  take_mail: z
    .boolean()
    .default(false)
    .describe(
      'Replaces an MX that points elsewhere; with `false` that MX stays, and the domain waits until you decide.',
    ),
  providers: providers
    .default({})
    .describe(
      'The accounts that serve the domain, for as long as it exists; the operator’s choice if omitted.',
    ),
})

/** POST /domains: commits the domain, wakes the worker, and waits some seconds for the zone. */
export function addDomainRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/domains`,
    {
      schema: {
        operationId: 'addDomain',
        summary: 'Adds a domain, and returns the nameservers to set at the registrar',
        body,
        response: { 201: domainAdded },
        problems: ['domain_exists', 'domain_being_removed', 'too_many_claims', 'too_many_adds'],
      },
      ...needs(context, 'domains:create'),
    },
    async (request, reply) => {
      const key = keyOf(request)
      const name = acceptedName(request.body.domain, key, context)
      const added = await addDomain(store, key, {
        name,
        mayActivate: request.body.auto_activate,
        importRecords: request.body.import_records,
        takeMail: request.body.take_mail,
        drivers: await chooseAccounts(
          store,
          key.world,
          candidatesOf(request.body.providers, key, context),
        ),
        limits: context.limits,
      })
      if (added.is !== 'added') throw refusalOf(added)
      const row = await waitForDomain(store, {
        domainId: added.domain.id,
        known: added.domain,
        look: () => findAdded(context, key, added.domain.id),
        done: ({ status }) => !['PENDING', 'DNS_CONFIGURING'].includes(status),
        limitMs: context.waitMs,
      })
      const nameservers = await askOrKnown(() => nameserversOf(store, row.id), [])
      return reply.status(201).send({
        ...SUCCESS,
        message:
          nameservers.length > 0
            ? 'Domain added. Set these nameservers at your registrar.'
            : 'Domain added. Its nameservers will be known in a moment.',
        domain_id: row.id,
        domain_name: row.name,
        status: row.status,
        nameservers,
        max_inboxes: row.max_inboxes,
        current_inboxes: 0,
        created_at: row.created_at.toISOString(),
        progress_url: progressUrl(row.id),
      })
    },
  )
}

const refusalOf = (refused: Exclude<AddResult, { is: 'added' }>): Problem =>
  'domainId' in refused
    ? new Problem(`domain_${refused.is}`, { domain_id: refused.domainId })
    : new Problem(refused.is)

/** Reads the domain again; throws a problem if another request deleted it meanwhile. */
async function findAdded({ store }: ApiContext, key: ApiKey, id: string): Promise<DomainRow> {
  const row = await findDomain(store, key, id)
  if (!row) throw new Problem('domain_being_removed', { domain_id: id })
  return row
}

/** The requested accounts; for a service without a request, the accounts for new domains. */
function candidatesOf(
  asked: z.infer<typeof body>['providers'],
  { world }: ApiKey,
  context: ApiContext,
): AccountCandidates {
  const known = context.accounts(world)
  const defaults = context.defaults(world)
  const one = (field: keyof typeof asked, service: keyof AccountCandidates) => {
    const name = asked[field]
    if (name === undefined) return defaults[service]
    if (known[service].includes(name)) return [name]
    const msg = `there is no such account here; there are ${known[service].join(', ')}`
    throw new Invalid([{ loc: ['body', 'providers', field], msg, type: 'value_error.account' }])
  }
  return {
    zone: one('dns', 'zone'),
    sender: one('sender', 'sender'),
    mailbox: one('mailbox', 'mailbox'),
  }
}

function acceptedName(written: string, key: ApiKey, context: ApiContext): string {
  const parsed = parseDomainName(written)
  const refusal =
    'refusal' in parsed ? parsed.refusal : refusalIn(parsed.name, context.nameRules(key.world))
  if (refusal)
    throw new Invalid([{ loc: ['body', 'domain'], msg: refusal.message, type: refusal.type }])
  return (parsed as { name: string }).name
}
