import { z } from 'zod'
import { isSpecialUse, parseDomainName } from '#names/domain-name.ts'
import { findRedirect, type PutRedirect, putRedirect } from '#store/redirects.ts'
import type { WorldName } from '#store/tables.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Invalid, Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams } from '../http/shapes.ts'
import { waitForDomain } from '../http/wait.ts'
import { redirectAnswer } from './answers.ts'
import { loadDomain } from './load-domain.ts'
import { redirectView } from './redirect-view.ts'

const body = z.object({
  target_domain: z
    .string()
    .min(1)
    .max(1000)
    .describe('The host name to redirect to, without scheme or path.')
    .meta({ examples: ['www.example.test'] }),
  status_code: z
    .literal([301, 302, 307, 308])
    .default(301)
    .describe('The HTTP status of the redirect.'),
  preserve_path: z
    .boolean()
    .default(true)
    .describe('Appends the path of the request to the target.'),
  preserve_query_string: z
    .boolean()
    .default(true)
    .describe('Appends the query string of the request to the target.'),
})

/** POST /domains/{domain_id}/redirect: creates or changes it; the worker publishes its records. */
export function setRedirectRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/domains/:domain_id/redirect`,
    {
      schema: {
        operationId: 'setRedirect',
        summary: 'Sets or changes the redirect of a domain',
        params: domainParams,
        body,
        response: { 200: redirectAnswer },
        problems: [
          'domain_not_found',
          'redirect_not_found',
          'redirects_not_configured',
          'domain_not_active',
        ],
      },
      ...needs(context, 'domains:update'),
    },
    async (request) => {
      const key = keyOf(request)
      const { row } = await loadDomain(store, key, request.params.domain_id)
      const target_domain = acceptedTarget(request.body.target_domain, row.world, context)
      if (!context.hasRedirects(row)) throw new Problem('redirects_not_configured')
      if (row.status !== 'ACTIVE')
        throw new Problem('domain_not_active', { domain_status: row.status })
      const put = await putRedirect(store, row, { ...request.body, target_domain })
      if (put !== 'put') throw refusalOf(put, row.name)
      const look = () => findRedirect(store, row)
      const redirect = await waitForDomain(store, {
        domainId: row.id,
        known: await look(),
        look,
        done: (seen) => !seen || seen.isSetUp,
        limitMs: context.waitMs,
      })
      if (!redirect) throw new Problem('redirect_not_found') // Deleted meanwhile.
      return redirectView(row, redirect)
    },
  )
}

/** A host name only, so that no part of a request can become another host. */
function acceptedTarget(written: string, world: WorldName, { nameRules }: ApiContext): string {
  const parsed = parseDomainName(written)
  if ('refusal' in parsed) throw invalidTarget(parsed.refusal.message, parsed.refusal.type)
  const { sandbox, laboratory } = nameRules(world)
  if (!sandbox && !laboratory && isSpecialUse(parsed.name)) {
    throw invalidTarget('This is a special-use name, which nobody else can reach.')
  }
  return parsed.name
}

function refusalOf(is: Exclude<PutRedirect, 'put'>, name: string): Problem | Invalid {
  if (is === 'domain_gone') return new Problem('domain_not_found')
  if (is === 'too_long') return invalidTarget('Too many redirects follow each other there.', LOOP)
  return invalidTarget(`The target leads back to ${name}, or is that name or www below it.`, LOOP)
}

const LOOP = 'value_error.redirect_loop'

const invalidTarget = (msg: string, type = 'value_error.domain'): Invalid =>
  new Invalid([{ loc: ['body', 'target_domain'], msg, type }])
