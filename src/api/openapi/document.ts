/** The API as OpenAPI 3.1, built from the routes, so that a new one appears by itself. */
import type { RouteOptions } from 'fastify'
import type { z } from 'zod'
import type { Http } from '../http/http.ts'
import { PROBLEMS, type ProblemCode } from '../http/problems.ts'
import type { Scope } from '../http/scopes.ts'
import { refusal, violations } from './errors.ts'
import { namedSchemas, type Schema, schemaOf } from './schema.ts'

declare module 'fastify' {
  interface FastifySchema {
    operationId?: string
    /** What it does, in a phrase. */
    summary?: string
    description?: string
    /** Its problems, beside those that every operation has. */
    problems?: readonly ProblemCode[]
  }
  interface FastifyContextConfig {
    scope?: Scope | undefined
  }
}

export type Parameter = {
  name: string
  in: string
  required: boolean
  description?: string
  schema: Schema
}
export type Content = Record<string, { schema: Schema }>
export type Answered = { description: string; content?: Content }
export type Operation = {
  operationId: string
  summary: string
  description?: string
  tags: readonly string[]
  security: readonly Record<string, readonly string[]>[]
  parameters: readonly Parameter[]
  requestBody?: { required: boolean; content: Content }
  responses: Record<string, Answered>
}
/** A header of answers. */
export type Header = { description: string; schema: Schema }
export type Document = {
  openapi: string
  info: { title: string; version: string; description: string }
  tags: readonly { name: string }[]
  paths: Record<string, Record<string, Operation>>
  components: {
    schemas: Record<string, Schema>
    headers: Record<string, Header>
    securitySchemes: object
  }
}

const DESCRIBED = /^\/api\/(public|sandbox)\/v1(\/.*)$/
const JSON_TYPE = 'application/json'
const SANDBOX = 'Sandbox'

/** Records every route registered from now on; returns what describes them. */
export function describeApi(app: Http): () => Document {
  const routes: RouteOptions[] = []
  let document: Document | undefined
  app.addHook('onRoute', (route) => {
    if (DESCRIBED.test(route.url) && route.method !== 'HEAD') routes.push(route)
  })
  return () => {
    document ??= documentOf(routes)
    return document
  }
}

function documentOf(routes: readonly RouteOptions[]): Document {
  const paths: Document['paths'] = {}
  for (const route of routes) {
    const path = route.url.replace(/:(\w+)/g, '{$1}')
    paths[path] ??= {}
    for (const method of [route.method].flat())
      paths[path][method.toLowerCase()] = operationOf(route, method)
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Mailstead', version: '1', description: DESCRIPTION },
    tags: [...new Set(routes.map(tagOf))].map((name) => ({ name })),
    paths,
    components: { schemas: namedSchemas(), headers: HEADERS, securitySchemes: SECURITY_SCHEMES },
  }
}

const DESCRIPTION =
  'Custom email domains, from a name to its inboxes. Every call needs an API key. ' +
  'Every error has `detail`; all but 422 have a stable code in `error`. Times are ISO 8601 in UTC, ids are UUIDs, ' +
  'and unknown fields are ignored. New fields may be added to answers.'

/** Stated once and not per answer, as they rarely depend on the operation. */
const HEADERS: Record<string, Header> = {
  'X-Request-Id': {
    description:
      'On every answer. Quote it when you report an error. The server keeps the one that you send.',
    schema: { type: 'string' },
  },
  'X-RateLimit-Limit': {
    description:
      'How many requests the key, or all keys of its workspace together, may send in a minute or an hour: the ' +
      'limit with the fewest left. This header and the next two are on every answer to a valid key, if there is a limit.',
    schema: { type: 'integer' },
  },
  'X-RateLimit-Remaining': {
    description: 'How many requests are left in that time.',
    schema: { type: 'integer' },
  },
  'X-RateLimit-Reset': {
    description: 'When that time ends, in seconds since 1970.',
    schema: { type: 'integer' },
  },
  'Retry-After': {
    description: 'On 429 and 503: try again after this many seconds.',
    schema: { type: 'integer' },
  },
  'Idempotency-Replayed': {
    description: 'On an answer repeated from an earlier request with the same `Idempotency-Key`.',
    schema: { type: 'string', const: 'true' },
  },
}

const SECURITY_SCHEMES = {
  ApiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
  Bearer: { type: 'http', scheme: 'bearer', description: 'The same key.' },
}

function operationOf(route: RouteOptions, method: string): Operation {
  const { schema = {}, config } = route
  const scopes = config?.scope ? [config.scope] : []
  const { description } = schema
  return {
    operationId: schema.operationId ?? idOf(route, method),
    summary: schema.summary ?? idOf(route, method),
    ...(description === undefined ? {} : { description }),
    tags: [tagOf(route)],
    security: [{ ApiKey: scopes }, { Bearer: scopes }],
    parameters: [
      ...parametersOf('path', schema.params),
      ...parametersOf('query', schema.querystring),
      ...(isKept(route) ? [IDEMPOTENCY_KEY] : []),
    ],
    ...bodyOf(schema.body),
    responses: { ...answersOf(route), ...problemsOf(route) },
  }
}

/** `getDomainsRemoval`, for a route that has no name of its own. */
function idOf({ url }: RouteOptions, method: string): string {
  const words = url.replace(DESCRIBED, '$2').match(/[a-z]+/gi) ?? []
  const joined = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
  return method.toLowerCase() + joined
}

/** The first part of the path: `Sender accounts`. */
function tagOf({ url }: RouteOptions): string {
  const [, api, path] = DESCRIBED.exec(url)!
  if (api === 'sandbox') return SANDBOX
  const words = path!.split('/')[1]!.replaceAll('-', ' ')
  return words[0]!.toUpperCase() + words.slice(1)
}

function parametersOf(place: string, shape: unknown): Parameter[] {
  if (!shape) return []
  const { properties = {}, required = [] } = schemaOf(shape as z.ZodType)
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }))
}

/** Whether its answer is stored for repeated requests. */
const isKept = (route: RouteOptions): boolean => route.method === 'POST' && tagOf(route) !== SANDBOX

const IDEMPOTENCY_KEY: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'A request that is repeated with the same key is executed once, and gets the same answer. The server keeps the answer for 24 hours.',
  schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]+$' },
}

function bodyOf(shape: unknown): Pick<Operation, 'requestBody'> | undefined {
  if (!shape) return undefined
  const checked = shape as z.ZodType
  const required = !checked.safeParse(undefined).success
  return { requestBody: { required, content: { [JSON_TYPE]: { schema: schemaOf(checked) } } } }
}

/** A shape in JSON, or one for each media type. */
type Success = z.ZodType | { content: Record<string, { schema: z.ZodType }> }

function answersOf({ schema }: RouteOptions): Record<string, Answered> {
  const successes = Object.entries((schema?.response ?? {}) as Record<string, Success>)
  if (successes.length === 0) return { '2XX': { description: 'Done.' } }
  return Object.fromEntries(
    successes.map(([status, success]) => [
      status,
      { description: 'Done.', content: 'content' in success ? contentOf(success) : as(success) },
    ]),
  )
}

const contentOf = ({ content }: Exclude<Success, z.ZodType>): Content =>
  Object.fromEntries(
    Object.entries(content).map(([type, { schema }]) => [type, { schema: schemaOf(schema) }]),
  )

function problemsOf(route: RouteOptions): Record<string, Answered> {
  const { schema = {}, config } = route
  const codes = new Set<ProblemCode>([
    'api_key_required',
    'api_key_invalid',
    ...(config?.scope ? (['insufficient_scopes'] as const) : []),
    'sandbox_off',
    ...(schema.body ? (['invalid_json'] as const) : []),
    ...(schema.problems ?? []),
    ...(isKept(route) ? (['idempotency_mismatch', 'idempotency_in_progress'] as const) : []),
    'rate_limited',
    'live_not_configured',
    'installation_not_ready',
    'database_away',
  ])
  const byStatus = Map.groupBy(codes, (code) => String(PROBLEMS[code].status))
  return {
    ...Object.fromEntries([...byStatus].map(([status, all]) => [status, refused(all)])),
    '422': { description: 'The request is not valid.', content: as(violations) },
    default: { description: 'Any other error.', content: as(refusal) },
  }
}

const as = (shape: z.ZodType): Content => ({ [JSON_TYPE]: { schema: schemaOf(shape) } })

/** A paragraph for each code. */
const refused = (codes: readonly ProblemCode[]): Answered => ({
  description: codes
    .map((code) => `\`${code}\`: ${PROBLEMS[code].detail}.`.replace('..', '.'))
    .join('\n\n'),
  content: as(refusal),
})
