/** Sign-in (OAuth 2.0 client credentials, RFC 6749 section 4.4) and the tokens it hands out. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { EmulatedAnswer, EmulatedRequest } from '../server.ts'
import { Refused } from './answers.ts'
import type { Cloud } from './state.ts'

export const TOKEN_PATH = /^\/([^/]+)\/oauth2\/v2\.0\/token$/
const SCOPE = 'https://management.azure.com/.default'
const LIFETIME_S = 3599

type Form = { tenant: string; fields: URLSearchParams }

/**
 * The refusals of sign-in; the first that applies counts: status, `error`, and the number of the AADSTS
 * code.
 */
const REFUSALS: readonly (readonly [
  applies: (cloud: Cloud, form: Form) => boolean,
  status: number,
  error: string,
  aadsts: number,
  description: string,
])[] = [
  [
    ({ credentials }, { tenant }) => tenant !== credentials.tenantId,
    400,
    'invalid_request',
    90002,
    'Tenant not found. Check to make sure you have the correct tenant ID.',
  ],
  [
    (_, { fields }) => fields.get('grant_type') !== 'client_credentials',
    400,
    'unsupported_grant_type',
    70003,
    'The app requested an unsupported grant type.',
  ],
  [
    ({ credentials }, { fields }) => fields.get('client_id') !== credentials.clientId,
    400,
    'unauthorized_client',
    700016,
    'The application was not found in the directory.',
  ],
  [
    ({ credentials, isRevoked }, { fields }) =>
      isRevoked || fields.get('client_secret') !== credentials.clientSecret,
    401,
    'invalid_client',
    7000215,
    'Invalid client secret provided.',
  ],
  [
    (_, { fields }) => !/^https:\/\/management\.azure\.com\/{1,2}\.default$/.test(scopeOf(fields)),
    400,
    'invalid_scope',
    70011,
    `The provided value for the input parameter 'scope' is not valid; expected ${SCOPE}.`,
  ],
]

const scopeOf = (fields: URLSearchParams): string => fields.get('scope') ?? ''

export function answerToken(cloud: Cloud, request: EmulatedRequest): EmulatedAnswer {
  const [, tenant] = TOKEN_PATH.exec(request.path)!
  const form = { tenant: tenant!, fields: fieldsOf(request) }
  const refused = REFUSALS.find(([applies]) => applies(cloud, form))
  if (refused) {
    const [, status, error, code, description] = refused
    return { status, json: oauthError(cloud, error, code, description) }
  }
  const token = randomBytes(48).toString('base64url')
  cloud.tokens.set(token, cloud.settings.now() + LIFETIME_S * 1000)
  return {
    status: 200,
    headers: { 'cache-control': 'no-store, no-cache' },
    json: {
      token_type: 'Bearer',
      expires_in: LIFETIME_S,
      ext_expires_in: LIFETIME_S,
      access_token: token,
    },
  }
}

/** Only a form is parsed: a JSON body counts as a request without a grant. */
function fieldsOf({ headers, body, method }: EmulatedRequest): URLSearchParams {
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded')
  return new URLSearchParams(isForm && method === 'POST' ? body : '')
}

const oauthError = (cloud: Cloud, error: string, code: number, description: string) => ({
  error,
  error_description: `AADSTS${code}: ${description}`,
  error_codes: [code],
  timestamp: new Date(cloud.settings.now()).toISOString(),
  trace_id: randomUUID(),
  correlation_id: randomUUID(),
})

/** Refuses a request that does not carry a token that is valid now. */
export function checkBearer(cloud: Cloud, { headers }: EmulatedRequest): void {
  const [, token] = /^Bearer (\S+)$/i.exec(headers.authorization ?? '') ?? []
  if (token === undefined) {
    throw unauthorized('AuthenticationFailed', "The 'Authorization' header is missing.")
  }
  const until = cloud.tokens.get(token)
  if (until === undefined || cloud.isRevoked) {
    throw unauthorized('InvalidAuthenticationToken', 'The access token is invalid.')
  }
  if (until <= cloud.settings.now()) {
    throw unauthorized('ExpiredAuthenticationToken', 'The access token expired.')
  }
}

const unauthorized = (code: string, message: string) =>
  new Refused(401, code, `Authentication failed. ${message}`, {
    'www-authenticate': 'Bearer error="invalid_token"',
  })
