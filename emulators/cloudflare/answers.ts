/** The common form of all answers, and every refusal with how well we know it. */
import type { EmulatedAnswer } from '../server.ts'

/**
 * How a row is known. `documented` by the provider; `reported` with its body by users; `guessed` by us,
 * in code, status or both: nothing may depend on it; `ours` for calls that this emulator cannot do and
 * the real API can.
 */
type Known = 'documented' | 'reported' | 'guessed' | 'ours'

/** `{}` in a sentence stands for its object. `under` is the outer error of a chain. */
type Row = { known: Known; status: number; code: number; says: string; under?: Outer }
type Outer = { code: number; message: string }

const HEADERS: Outer = { code: 6003, message: 'Invalid request headers' }
const VALIDATION: Outer = { code: 1004, message: 'DNS Validation Error' }
const ROOT_ONLY =
  'Please ensure you are providing the root domain and not any subdomains (e.g., example.com, not subdomain.example.com)'

const ACCESS = {
  authorization_missing: row(
    'reported',
    400,
    9106,
    'Missing X-Auth-Key, X-Auth-Email or Authorization headers',
  ),
  authorization_malformed: row(
    'reported',
    400,
    6111,
    'Invalid format for Authorization header',
    HEADERS,
  ),
  unauthenticated: row('reported', 403, 10000, 'Authentication error'),
  may_not_create: row(
    'reported',
    403,
    0,
    'Requires permission "com.cloudflare.api.account.zone.create" to create zones for the selected account',
  ),
  may_not_touch: row('guessed', 403, 9109, 'Unauthorized to access requested resource'),
  /** People also report a 403 with "request is not authorized" and no code. */
  may_not_redirect: row('guessed', 403, 10000, 'Authentication error'),
  throttled: row('reported', 429, 971, 'Please wait and consider throttling your request speed'),
  out_of_order: row('guessed', 500, 1052, 'An error has occurred and it has been logged.'),
  no_route: row(
    'documented',
    404,
    7003,
    'Could not route to {}, perhaps your object identifier is invalid?',
  ),
  body_unreadable: row(
    'guessed',
    400,
    9207,
    'Failed to parse request body, content-type must be application/json',
  ),
  page_invalid: row('guessed', 400, 1015, 'Invalid value for {}'),
  not_emulated: row('ours', 400, 99_999, 'The emulator does not do this: {}'),
} satisfies Record<string, Row>

const ZONES = {
  zone_exists: row('reported', 400, 1061, '{} already exists'),
  zone_banned: row(
    'reported',
    400,
    1097,
    'This zone is banned and cannot be added to Cloudflare at this time, please contact Cloudflare Support.',
  ),
  zone_unregistrable: row(
    'documented',
    400,
    1099,
    `We were unable to identify {} as a registered domain. ${ROOT_ONLY}`,
  ),
  zone_not_root: row('reported', 400, 1116, ROOT_ONLY),
  zone_name_invalid: row('guessed', 400, 1003, '{} is not a valid zone name'),
  zone_type_refused: row('guessed', 400, 1021, 'Invalid zone type {}'),
  zone_absent: row('guessed', 404, 1001, 'Invalid zone identifier'),
  check_too_early: row('reported', 400, 1224, 'You may only perform this action once per hour.'),
  check_not_pending: row('guessed', 400, 1225, 'The zone is not pending.'),
} satisfies Record<string, Row>

const RECORDS = {
  record_exists: row('reported', 400, 81057, 'The record already exists.'),
  record_identical: row('reported', 400, 81058, 'An identical record already exists.'),
  cname_beside_address: row(
    'reported',
    400,
    81053,
    'An A, AAAA, or CNAME record with that host already exists.',
  ),
  address_beside_cname: row(
    'reported',
    400,
    81054,
    'A CNAME record with that host already exists.',
  ),
  ns_beside_others: row('guessed', 400, 81056, 'NS records with that host already exist.'),
  record_absent: row('reported', 404, 81044, 'Record does not exist.'),
  record_quota: row('guessed', 400, 81045, 'Record quota exceeded.'),
  batch_too_large: row('guessed', 400, 81060, 'The batch holds more than {} operations.'),
  content_a: row('reported', 400, 9005, 'Content for A record must be a valid IPv4 address.'),
  content_aaaa: row('reported', 400, 9006, 'Content for AAAA record must be a valid IPv6 address.'),
  content_cname: row('guessed', 400, 9007, 'Content for CNAME record is invalid.'),
  content_invalid: row('guessed', 400, 9009, 'Content for {} record is invalid.'),
  content_too_long: row('guessed', 400, 9010, 'Content for {} record is too long.'),
  content_txt: row('guessed', 400, 9011, 'Content for TXT record has unbalanced quotation marks.'),
  data_missing: row('guessed', 400, 9012, 'A {} record needs its data.', VALIDATION),
  priority_missing: row('guessed', 400, 9013, 'A {} record needs a priority.', VALIDATION),
  type_invalid: row('guessed', 400, 9004, 'Invalid record type {}.', VALIDATION),
  name_invalid: row('guessed', 400, 9000, 'DNS name is invalid.', VALIDATION),
  apex_ns: row('guessed', 400, 9014, 'NS records at the zone apex are not allowed.', VALIDATION),
  ttl_invalid: row(
    'reported',
    400,
    9021,
    'TTL must be between 60 and 86400 seconds, or 1 for Automatic.',
    VALIDATION,
  ),
  unproxiable: row(
    'reported',
    400,
    9041,
    'Invalid proxied mode. Record cannot be proxied',
    VALIDATION,
  ),
  comment_invalid: row('guessed', 400, 9301, 'Invalid comment.', VALIDATION),
  tags_invalid: row('guessed', 400, 9302, 'Invalid tags.', VALIDATION),
  tags_quota: row('reported', 400, 9300, 'DNS record has {}.', VALIDATION),
} satisfies Record<string, Row>

const REDIRECTS = {
  entrypoint_absent: row(
    'reported',
    404,
    10003,
    'could not find entrypoint ruleset in the {} phase',
  ),
  ruleset_absent: row('guessed', 404, 10003, 'could not find ruleset'),
  rule_absent: row('guessed', 404, 10004, 'could not find rule'),
  rule_invalid: row('guessed', 400, 20_127, 'invalid rule: {}'),
  field_unknown: row('guessed', 400, 10_001, 'invalid JSON: unknown field "{}"'),
} satisfies Record<string, Row>

export const REFUSALS = { ...ACCESS, ...ZONES, ...RECORDS, ...REDIRECTS }
export type RefusalKind = keyof typeof REFUSALS

function row(known: Known, status: number, code: number, says: string, under?: Outer): Row {
  return under === undefined ? { known, status, code, says } : { known, status, code, says, under }
}

/** Thrown anywhere below the router, which answers with it. Nothing has changed then. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly kind: RefusalKind
  readonly subject: string

  constructor(kind: RefusalKind, subject = '') {
    super(`${kind}: ${subject}`)
    this.kind = kind
    this.subject = subject
  }
}

export function refusalAnswer(kind: RefusalKind, subject = '', status?: number): EmulatedAnswer {
  const row: Row = REFUSALS[kind]
  const error = { code: row.code, message: row.says.replace('{}', subject) }
  const chained = row.under === undefined ? error : { ...row.under, error_chain: [error] }
  const errors = kind === 'no_route' ? [chained, NO_ROUTE] : [chained]
  return {
    status: status ?? row.status,
    json: { result: null, success: false, errors, messages: [] },
  }
}

const NO_ROUTE = { code: 7000, message: 'No route for that URI' }

export type PageInfo = {
  page: number
  per_page: number
  count: number
  total_count: number
  total_pages: number
}

/** The result of a route; `info` with a page of a list. */
export type Reply = { result: unknown; info?: PageInfo }

export const successAnswer = ({ result, info }: Reply): EmulatedAnswer => ({
  status: 200,
  json: {
    result,
    success: true,
    errors: [],
    messages: [],
    ...(info === undefined ? {} : { result_info: info }),
  },
})
