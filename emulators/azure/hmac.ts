/** Authenticates requests to a communication service by the signature with its access key. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { EmulatedRequest } from '../server.ts'
import { Refused } from './answers.ts'
import type { Cloud, CommunicationService } from './state.ts'

const SIGNED = 'x-ms-date;host;x-ms-content-sha256'
const AUTHORIZATION = /^HMAC-SHA256 SignedHeaders=([^&]+)&Signature=([A-Za-z0-9+/=]+)$/
const SKEW_MS = 5 * 60_000

/**
 * The service whose key signed the request. All services share one address here, so only the key
 * identifies them; at Azure the host does.
 */
export function signerOf(cloud: Cloud, request: EmulatedRequest): CommunicationService {
  const { authorization, date, contentHash } = headersOf(request)
  const [, signedHeaders, signature] = AUTHORIZATION.exec(authorization) ?? []
  if (signedHeaders?.toLowerCase() !== SIGNED || signature === undefined) throw denied()
  if (!(Math.abs(Date.parse(date) - cloud.settings.now()) <= SKEW_MS)) throw denied()
  if (contentHash !== createHash('sha256').update(request.body).digest('base64')) throw denied()
  const { method, target, headers } = request
  const signed = `${method}\n${target}\n${date};${headers.host};${contentHash}`
  const isSigner = (service: CommunicationService) =>
    Object.values(service.keys).some((key) => isSame(signature, signatureOf(signed, key)))
  const signer = [...cloud.communicationServices.values()].find(isSigner)
  if (!signer || signer.isKeyAuthDisabled || signer.provisioningState !== 'Succeeded') {
    throw denied()
  }
  return signer
}

function headersOf({ headers }: EmulatedRequest) {
  const one = (name: string): string => {
    const value = headers[name]
    return typeof value === 'string' ? value : ''
  }
  return {
    authorization: one('authorization'),
    date: one('x-ms-date'),
    contentHash: one('x-ms-content-sha256'),
  }
}

const signatureOf = (text: string, key: string): string =>
  createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64')

const isSame = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))

const denied = (): Refused => new Refused(401, 'Denied', 'Denied by the resource provider.')
