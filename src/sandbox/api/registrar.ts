import { z } from 'zod'
import type { Http } from '#api/http/http.ts'
import { Invalid, Problem } from '#api/http/problems.ts'
import { ancestorsOf, isWithin, parseDomainName } from '#names/domain-name.ts'
import type { Delegation } from '../parent.ts'
import { dropDelegation, listDelegations, putDelegation } from '../rows.ts'
import { sandboxDelegation } from './answers.ts'
import { SANDBOX_PREFIX, type SandboxContext, sandboxKey } from './context.ts'
import { domainParam, invalidDomain, nameIn } from './domain-param.ts'

// RFC 4034 section 5.3: key tag, algorithm, digest type, digest.
const dsRdata = z
  .string()
  .regex(/^\d{1,5} \d{1,3} \d{1,3} ([0-9a-f]{2}){20,64}$/i)
  .superRefine((written, check) => {
    const [tag, algorithm, digestType] = written.split(' ').map(Number)
    if (tag! <= 0xffff && algorithm! <= 255 && digestType! <= 255) return
    const params = { type: 'value_error.str.regex' }
    check.addIssue({ code: 'custom', message: 'a number is out of its range', params })
  })

const body = z.object({
  nameservers: z
    .array(
      z
        .string()
        .max(255)
        .meta({ examples: ['ada.ns.mailstead.test'] }),
    )
    .min(1)
    .max(13)
    .describe('The NS records that the parent zone publishes.'),
  ds: z
    .array(dsRdata)
    .max(8)
    .default([])
    .describe(
      'The DS records that the parent zone publishes, as a former host with DNSSEC leaves behind.',
    ),
  delay_seconds: z
    .number()
    .min(0)
    .max(86_400)
    .default(0)
    .describe('The delay before the parent zone publishes them, as with slow registries.'),
})

/** `/registrar/{domain}/nameservers`: plays the customer's registrar in the sandbox's parent zones. */
export function registrarRoutes(app: Http, context: SandboxContext): void {
  const { store } = context
  const path = `${SANDBOX_PREFIX}/registrar/:domain/nameservers`

  app.put(
    path,
    {
      schema: {
        operationId: 'delegateInSandbox',
        summary: 'Sets the nameservers of a name at the sandbox’s registrar',
        params: domainParam,
        body,
        response: { 200: sandboxDelegation },
        problems: ['test_key_required'],
      },
      ...sandboxKey(context),
    },
    async (request) => {
      const { nameservers, ds, delay_seconds } = request.body
      const delegation: Delegation = {
        name: registrable(nameIn(request.params), context),
        nameservers: nameservers.map((written, index) => hostName(written, index)),
        ds,
        publishedAt: new Date(Date.now() + delay_seconds * 1000),
      }
      await putDelegation(store, delegation)
      await context.republish()
      return view(delegation)
    },
  )

  app.get(
    path,
    {
      schema: {
        operationId: 'getSandboxDelegation',
        summary: 'Shows the nameservers of a name at the sandbox’s registrar',
        params: domainParam,
        response: { 200: sandboxDelegation },
        problems: ['test_key_required', 'delegation_not_found'],
      },
      ...sandboxKey(context),
    },
    async (request) => {
      const name = registrable(nameIn(request.params), context)
      const found = (await listDelegations(store)).find((delegation) => delegation.name === name)
      if (!found) throw new Problem('delegation_not_found')
      return view(found)
    },
  )

  app.delete(
    path,
    {
      schema: {
        operationId: 'undelegateInSandbox',
        summary: 'Removes the nameservers of a name at the sandbox’s registrar',
        params: domainParam,
        response: { 200: sandboxDelegation },
        problems: ['test_key_required', 'delegation_not_found'],
      },
      ...sandboxKey(context),
    },
    async (request) => {
      const name = registrable(nameIn(request.params), context)
      if (!(await dropDelegation(store, name))) throw new Problem('delegation_not_found')
      await context.republish()
      return { domain: name, nameservers: [], ds: [], published_at: null }
    },
  )
}

function view({ name, nameservers, ds, publishedAt }: Delegation) {
  return { domain: name, nameservers, ds, published_at: publishedAt.toISOString() }
}

/** A name the sandbox's registry sells: below its TLDs, and none of the platform's. */
function registrable(name: string, { reserved }: SandboxContext): string {
  const isBelowTld = ancestorsOf(name).some((zone) => zone === 'test' || zone === 'example')
  if (!isBelowTld) throw invalidDomain('The sandbox has names below .test and .example only.')
  if (reserved.some((own) => isWithin(name, own) || isWithin(own, name))) {
    throw invalidDomain("This name is one of the platform's own.")
  }
  return name
}

function hostName(written: string, index: number): string {
  const parsed = parseDomainName(written)
  if ('name' in parsed) return parsed.name
  throw new Invalid([
    {
      loc: ['body', 'nameservers', index],
      msg: parsed.refusal.message,
      type: 'value_error.domain',
    },
  ])
}
