/** The HTTP server: errors mapped once, keys checked once, every answer with its request id. */
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import type { Logger } from 'pino'
import { DriverError } from '#drivers/errors.ts'
import { newId } from '../ids.ts'
import { Invalid, PROBLEMS, Problem, type ProblemCode, type Violation } from './problems.ts'
import { type Issue, violationOf } from './violations.ts'

export type HttpOptions = {
  logger: Logger
  /** Whether a Host header names us; without its port, in lower case. */
  isOurHost(host: string): boolean
  /** Whether an error means that the database could not be asked. */
  isDatabaseAway(error: unknown): boolean
}

const BODY_LIMIT = 1024 * 1024
const RETRY_AFTER_S = 2

export function createHttp(options: HttpOptions) {
  const app = Fastify({
    loggerInstance: options.logger as FastifyBaseLogger,
    bodyLimit: BODY_LIMIT,
    genReqId: requestIdOf,
    requestIdHeader: false,
    // One line for each request is ours; see onResponse.
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: 300, ignoreTrailingSlash: true },
    requestTimeout: 60_000,
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, options))
  app.setNotFoundHandler((_request, reply) => send(reply, new Problem('not_found')))
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    if (!options.isOurHost(hostOf(request))) throw new Problem('unknown_host')
  })
  app.addHook('onResponse', async (request, reply) => {
    const { method, url } = request
    request.log.info(
      {
        method,
        path: url.split('?')[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'answered',
    )
  })
  allowEmptyJson(app as unknown as FastifyInstance)
  return app
}

export type Http = ReturnType<typeof createHttp>

/** Many clients announce JSON and send nothing, on DELETE and on POST without fields. */
function allowEmptyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, String(body), done)
  })
}

/** A caller's own id is kept when it is well-formed, so that it is found in both logs. */
function requestIdOf(request: { headers: Record<string, unknown> }): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : newId()
}

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
  if (error instanceof Problem) return send(reply, error)
  const violations = violationsOf(error, request)
  if (violations) return reply.status(422).send({ detail: violations })
  const code = FRAMEWORK_ERRORS[(error as FastifyError).code]
  if (code) return send(reply, new Problem(code))
  if (options.isDatabaseAway(error)) {
    request.log.warn({ err: error }, 'the database does not answer')
    return send(reply.header('retry-after', RETRY_AFTER_S), new Problem('database_away'))
  }
  const status = (error as FastifyError).statusCode ?? 500
  if (status >= 400 && status < 500 && !(error instanceof DriverError))
    return send(reply, new Problem('bad_request'))
  request.log.error({ err: error }, 'internal error')
  return send(reply, new Problem('internal', { request_id: request.id }))
}

function send(reply: FastifyReply, { code, message, fields }: Problem) {
  return reply.status(PROBLEMS[code].status).send({ detail: message, error: code, ...fields })
}

const FRAMEWORK_ERRORS: Record<string, ProblemCode> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
}

function violationsOf(error: unknown, request: FastifyRequest): readonly Violation[] | undefined {
  if (error instanceof Invalid) return error.violations
  if (!hasZodFastifySchemaValidationErrors(error)) return undefined
  const [part, raw] = PARTS[error.validationContext ?? '']?.(request) ?? ['body', request.body]
  return error.validation.map((found) => violationOf(part, raw, issueOf(found)))
}

const PARTS: Record<string, (request: FastifyRequest) => readonly [string, unknown]> = {
  body: (request) => ['body', request.body],
  querystring: (request) => ['query', request.query],
  params: (request) => ['path', request.params],
}

/** The library wraps its issue: the path is written as a JSON pointer, the rest lies in `params`. */
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
