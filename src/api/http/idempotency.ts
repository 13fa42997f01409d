/** `Idempotency-Key`: a repeated POST gets the same answer, and is done once. */
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
 * Answers a repeated POST from the stored answer, and stores the answers to new ones. The key and its scopes
 * are still checked each time.
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
    // The change is made and needs its answer, even if storing that fails: the claim's lease then ends.
    await settle(claim, reply, payload).catch((error) =>
      request.log.error({ err: error }, 'could not store an answer under its Idempotency-Key'),
    )
    return payload
  })

  function printOf({ method, url, body }: FastifyRequest, { world }: ApiKey): Buffer {
    return store.vault.fingerprint(`${world} ${method} ${url}\n${JSON.stringify(body)}`)
  }

  /** Answers that may differ at the next try are not stored. */
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
