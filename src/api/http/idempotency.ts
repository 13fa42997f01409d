/** `Idempotency-Key`: a POST that is sent again is answered again, and done once. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiKey } from '#store/api-keys.ts'
import {
  type Claim,
  claimRequest,
  dropClaim,
  type KeptAnswer,
  keepAnswer,
} from '#store/idempotent-requests.ts'
import type { ApiContext } from './context.ts'
import type { Http } from './http.ts'
import { Invalid, Problem } from './problems.ts'
import { isOfPublicApi, knownKeyOf } from './route.ts'

const HEADER = 'idempotency-key'
const LENGTH = 255

/**
 * Answers a POST whose name and content are known from what was kept, and keeps the answers to the
 * others. A key is asked for all the same each time, and so are its scopes.
 */
export function answerOnce(app: Http, { store }: ApiContext): void {
  const claims = new WeakMap<FastifyRequest, Claim>()

  app.addHook('preValidation', async (request: FastifyRequest, reply) => {
    const key = knownKeyOf(request)
    const name = request.headers[HEADER]
    const isAsked = request.method === 'POST' && isOfPublicApi(request)
    if (!key || !isAsked || name === undefined) return
    const named = { keyId: key.keyId, name: acceptedName(name), fingerprint: printOf(request, key) }
    const found = await claimRequest(store, named)
    if (found.is === 'mismatch' || found.is === 'in_progress')
      throw new Problem(`idempotency_${found.is}`)
    if (found.is === 'answered') return replay(reply, found.answer)
    claims.set(request, found.claim)
  })

  app.addHook('onSend', async (request: FastifyRequest, reply, payload) => {
    const claim = claims.get(request)
    if (!claim) return payload
    claims.delete(request)
    // The deed is done and must be told of, even if it cannot be kept: the lease of the claim ends then.
    await settle(claim, reply, payload).catch((error) =>
      request.log.error({ err: error }, 'an answer was not kept for its Idempotency-Key'),
    )
    return payload
  })

  function printOf({ method, url, body }: FastifyRequest, { world }: ApiKey): Buffer {
    return store.vault.fingerprint(`${world} ${method} ${url}\n${JSON.stringify(body)}`)
  }

  /** What may turn out otherwise at the next try is not kept. */
  function settle(claim: Claim, reply: FastifyReply, payload: unknown): Promise<void> {
    const status = reply.statusCode
    const isFinal = status < 500 && status !== 429 && typeof payload === 'string'
    if (!isFinal) return dropClaim(store, claim)
    const contentType = String(reply.getHeader('content-type') ?? 'application/json')
    return keepAnswer(store, claim, { status, contentType, body: payload })
  }
}

function replay(reply: FastifyReply, { status, contentType, body }: KeptAnswer): FastifyReply {
  return reply
    .status(status)
    .header('content-type', contentType)
    .header('idempotency-replayed', 'true')
    .send(body)
}

function acceptedName(written: string | string[]): string {
  const name = String(written)
  if (/^[\x21-\x7e]{1,255}$/.test(name)) return name
  const isTooLong = name.length > LENGTH
  const msg = `1 to ${LENGTH} visible ASCII characters are wanted`
  const type = isTooLong ? 'value_error.any_str.max_length' : 'value_error.str.regex'
  throw new Invalid([{ loc: ['header', 'Idempotency-Key'], msg, type }])
}
