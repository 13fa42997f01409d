/** The HTTP server: maps errors, checks keys, and gives every answer its request id. */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyTypeProvider,
  LogController,
} from 'fastify'
import { hasZodFastifySchemaValidationErrors, validatorCompiler } from 'fastify-type-provider-zod'
import type { Logger } from 'pino'
import type { z } from 'zod'
import { DriverError, type DriverErrorKind } from '#drivers/errors.ts'
import { UNSUBSCRIBE_PATH } from '#mail/outgoing/unsubscribe.ts'
import { newId } from '../../ids.ts'
import { isMostlyText } from './large-json.ts'
import { Invalid, PROBLEMS, Problem, type ProblemCode, type Violation } from './problems.ts'
import { knownKeyOf } from './route.ts'
import { type Issue, violationOf } from './violations.ts'

export type HttpOptions = {
  logger: Logger
  /** Whether a Host header names us; without its port, in lower case. */
  isOurHost(host: string): boolean
  /** Whether an error means that the database could not be asked, or could not write. */
  isDatabaseAway(error: unknown): boolean
}

const HEALTH_PATHS: readonly string[] = ['/healthz', '/readyz']
const BODY_LIMIT = 1024 * 1024
const RETRY_AFTER_S = 2
/** Limits without an end of their own count by the hour. */
const LIMITED_RETRY_AFTER_S = 3600

export function createHttp(options: HttpOptions) {
  const app = Fastify({
    loggerInstance: options.logger as FastifyBaseLogger,
    bodyLimit: BODY_LIMIT,
    genReqId: requestIdOf,
    requestIdHeader: false,
    // We log one line per request; see onResponse.
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: 300, ignoreTrailingSlash: true },
    requestTimeout: 60_000,
    frameworkErrors: (error, request, reply) =>
      void answerError(error, request, reply.header('x-request-id', request.id), options),
    clientErrorHandler: answerGarbage,
  }).withTypeProvider<Typed>()
  app.setValidatorCompiler(validatorCompiler)
  // The types hold answers to their schemas; writing them by a schema would drop unnamed fields and cost time.
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, options))
  app.setNotFoundHandler(() => {
    throw new Problem('not_found')
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    // RFC 9112 section 3.2: another server on the way might read another Host.
    if (hostsOf(request).length > 1) throw new Problem('bad_request')
    if (!options.isOurHost(hostOf(request))) throw new Problem('unknown_host')
  })
  app.addHook('preValidation', async (request) => refuseNull(request))
  app.addHook('onResponse', async (request, reply) => {
    const { method } = request
    const path = loggedPath(request)
    // Monitoring asks every few seconds.
    if (HEALTH_PATHS.includes(path)) return
    const key = knownKeyOf(request)
    request.log.info(
      {
        method,
        path,
        ...(key && { key: key.keyId, workspace: key.workspaceId }),
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'answered',
    )
  })
  allowEmptyJson(app as unknown as FastifyInstance)
  return app
}

/** Leaves out the token of an unsubscribe link, because the token is enough to unsubscribe the recipient. */
function loggedPath({ url, routeOptions }: FastifyRequest): string {
  const path = url.split('?')[0]!
  const isOfToken = [path, routeOptions.url].some((each) => each?.startsWith(UNSUBSCRIBE_PATH))
  return isOfToken ? `${UNSUBSCRIBE_PATH}:token` : path
}

export type Http = ReturnType<typeof createHttp>

/** Requests have the types of their schemas; so have answers, which may be read-only. */
interface Typed extends FastifyTypeProvider {
  validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown
  serializer: this['schema'] extends z.ZodType ? Given<z.output<this['schema']>> : unknown
}

type Given<T> = T extends readonly (infer Item)[]
  ? readonly Given<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Given<T[Key]> }
    : T

/** Many clients announce JSON but send nothing, on DELETE and on POST without fields. */
function allowEmptyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const json = String(body)
    if (json === '') done(null, undefined)
    else if (json.length > BODY_LIMIT && !isMostlyText(json)) done(new Problem('body_too_large'))
    else parse(request, json, done)
  })
}

/** Postgres text holds no U+0000, so a query with one is refused. */
function refuseNull({ query }: FastifyRequest): void {
  for (const [name, value] of Object.entries(query as Record<string, unknown>)) {
    if (!String(value).includes('\0')) continue
    const msg = 'null characters are not allowed'
    throw new Invalid([{ loc: ['query', name], msg, type: 'value_error.str.null' }])
  }
}

/** Keeps a caller's own well-formed id, so that it is found in both logs. */
function requestIdOf(request: { headers: Record<string, unknown> }): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : newId()
}

const hostsOf = ({ raw }: FastifyRequest): readonly string[] => raw.headersDistinct.host ?? []

function hostOf({ headers }: FastifyRequest): string {
  return (headers.host ?? '')
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase()
}

function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  options: HttpOptions,
) {
  const violations = violationsOf(error, request)
  if (violations) return reply.status(422).send({ detail: violations })
  const problem = problemOf(error, options)
  if (!problem) request.log.error({ err: error }, 'internal error')
  if (problem?.code === 'database_away')
    request.log.warn({ err: error }, 'the database refused a statement')
  const { code, message, fields, retryAfterS } =
    problem ?? new Problem('internal', { request_id: request.id })
  const { status } = PROBLEMS[code]
  if (status === 503) reply.header('retry-after', retryAfterS ?? RETRY_AFTER_S)
  if (status === 429) reply.header('retry-after', retryAfterS ?? LIMITED_RETRY_AFTER_S)
  return reply.status(status).send({ detail: message, error: code, ...fields })
}

/** The problem behind an error; undefined for a bug of ours. */
function problemOf(error: unknown, { isDatabaseAway }: HttpOptions): Problem | undefined {
  if (error instanceof Problem) return error
  if (error instanceof DriverError) {
    return new Problem(PROVIDER_PROBLEMS[error.kind], { reason: error.message })
  }
  if (isDatabaseAway(error)) return new Problem('database_away')
  const { code, statusCode = 500 } = error as FastifyError
  if (FRAMEWORK_ERRORS[code]) return new Problem(FRAMEWORK_ERRORS[code])
  return statusCode < 500 ? new Problem('bad_request') : undefined
}

const PROVIDER_PROBLEMS: Record<DriverErrorKind, ProblemCode> = {
  rejected: 'provider_refused',
  conflict: 'provider_refused',
  unauthorized: 'provider_unavailable',
  forbidden: 'provider_unavailable',
  throttled: 'provider_unavailable',
  unavailable: 'provider_unavailable',
}

/** Answers what is not HTTP, and then closes the connection. */
function answerGarbage(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'bad_request'
  const { status, detail } = PROBLEMS[code]
  const body = JSON.stringify({ detail, error: code })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${newId()}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

const FRAMEWORK_ERRORS: Record<string, ProblemCode> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
}

function violationsOf(error: unknown, request: FastifyRequest): readonly Violation[] | undefined {
  if (error instanceof Invalid) return error.violations
  if (!hasZodFastifySchemaValidationErrors(error)) return undefined
  const [part, raw] = PARTS[error.validationContext ?? '']?.(request) ?? ['body', request.body]
  return firstOfEach(error.validation.map((found) => violationOf(part, raw, issueOf(found))))
}

/** Keeps one violation per field: a value of the wrong type also has no length. */
function firstOfEach(violations: readonly Violation[]): readonly Violation[] {
  const places = violations.map(({ loc }) => loc.join('/'))
  return violations.filter((_, index) => places.indexOf(places[index]!) === index)
}

const PARTS: Record<string, (request: FastifyRequest) => readonly [string, unknown]> = {
  body: (request) => ['body', request.body],
  querystring: (request) => ['query', request.query],
  params: (request) => ['path', request.params],
}

/** The library wraps its issue: the path is a JSON pointer, the rest is in `params`. */
function issueOf(found: {
  instancePath: string
  message?: string | undefined
  keyword: string
  params: object
}): Issue {
  const path = found.instancePath
    .split('/')
    .filter(Boolean)
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key))
  return { code: found.keyword, message: found.message ?? '', ...found.params, path } as Issue
}
