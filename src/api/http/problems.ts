/** What a caller can be told, each with its code: a closed set, mapped to HTTP in one place. */

// biome-ignore format: a table
export const PROBLEMS = {
  record_not_found: { status: 404, detail: 'Record not found' },
  record_exists: { status: 409, detail: 'The zone has this record already' },
  record_managed: { status: 409, detail: 'This record is kept by the platform and cannot be edited' },
  record_conflict: { status: 409, detail: 'It cannot stand beside what is there: an alias beside others, an MX beside ours' },
  too_many_records: { status: 409, detail: 'The zone has as many records of its own as it may' },
  api_key_required:        { status: 401, detail: 'API key required. Include your API key in X-API-Key header.' },
  api_key_invalid:         { status: 401, detail: 'Invalid or revoked API key' },
  installation_key_required:{ status: 403, detail: 'This takes a key of the first workspace with all scopes' },
  insufficient_scopes:     { status: 403, detail: 'Missing required scopes' },
  rate_limited:            { status: 429, detail: 'Rate limit exceeded' },
  too_many_streams:        { status: 429, detail: 'The key has as many streams open as it may' },
  idempotency_mismatch:    { status: 409, detail: 'The Idempotency-Key was used for another request' },
  idempotency_in_progress: { status: 409, detail: 'The request of this Idempotency-Key is still under way' },
  workspace_not_found:     { status: 404, detail: 'Workspace not found' },
  key_not_found:           { status: 404, detail: 'Key not found' },
  too_many_keys:           { status: 409, detail: 'The workspace has as many keys as it may' },
  sandbox_off:             { status: 403, detail: 'The sandbox is off in this installation' },
  live_not_configured:     { status: 503, detail: 'Live domains need a nameserver zone of your own: set MAILSTEAD_NAMESERVER_ZONE' },
  installation_not_ready:  { status: 503, detail: 'The installation is not ready for live domains' },
  domain_not_found:        { status: 404, detail: 'Domain not found' },
  sender_account_not_found:{ status: 404, detail: 'Sender account not found' },
  redirect_not_found:      { status: 404, detail: 'The domain has no redirect' },
  removal_not_found:       { status: 404, detail: 'No removal of such a domain is known' },
  delegation_not_found:    { status: 404, detail: 'The sandbox\'s registrar has no nameservers for this name' },
  outcome_not_found:       { status: 404, detail: 'No outcome was asked for on this name' },
  test_key_required:       { status: 403, detail: 'The sandbox takes test keys only' },
  mail_not_taken:          { status: 409, detail: 'The message was not taken' },
  not_found:               { status: 404, detail: 'Not found' },
  domain_exists:           { status: 409, detail: 'This workspace has the domain already' },
  domain_being_removed:    { status: 409, detail: 'The domain is being removed; add it again when that is done' },
  too_many_claims:         { status: 409, detail: 'Too many workspaces wait for this name already' },
  too_many_adds:           { status: 429, detail: 'This name was added too often within an hour' },
  domain_not_ready:        { status: 409, detail: 'The zone is still being made; the nameservers are not known yet' },
  not_inside_your_zone:    { status: 409, detail: 'The domain lies inside no zone of this workspace' },
  domain_not_active:       { status: 409, detail: 'The domain is not active' },
  redirects_not_configured:{ status: 409, detail: 'Nothing answers for redirects of this domain: set MAILSTEAD_REDIRECT_LISTEN' },
  domain_in_use:           { status: 409, detail: 'An active campaign uses the domain' },
  sending_limit_reached:   { status: 429, detail: 'As many messages have been sent within 24 hours as may be' },
  message_not_found:       { status: 404, detail: 'Message not found' },
  sending_stopped:         { status: 409, detail: 'Sending from this domain is stopped' },
  not_rotatable:           { status: 409, detail: 'The sender service rotates its keys by itself' },
  rotation_in_progress:    { status: 409, detail: 'A new key is on its way already' },
  inbox_exists:            { status: 409, detail: 'The address is taken' },
  inbox_not_ready:         { status: 409, detail: 'The mailbox is still being made' },
  inbox_capacity_reached:  { status: 409, detail: 'The domain has all the inboxes it may have' },
  invalid_json:            { status: 400, detail: 'The body is not JSON' },
  bad_request:             { status: 400, detail: 'The request cannot be understood' },
  body_too_large:          { status: 413, detail: 'The body is larger than 1 MiB' },
  unsupported_media_type:  { status: 415, detail: 'Send the body as application/json' },
  uri_too_long:            { status: 414, detail: 'The address of the request is too long' },
  headers_too_large:       { status: 431, detail: 'The headers of the request are too large' },
  provider_refused:        { status: 409, detail: 'The mail service refused' },
  provider_unavailable:    { status: 503, detail: 'The mail service does not answer at the moment' },
  unknown_host:            { status: 421, detail: 'This server does not answer for that Host' },
  internal:                { status: 500, detail: 'Internal server error' },
  database_away:           { status: 503, detail: 'The database does not answer at the moment' },
} as const satisfies Record<string, { status: number; detail: string }>

export type ProblemCode = keyof typeof PROBLEMS

/** The caller's fault, or the installation's: `fields` go beside `detail` and `error`. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly fields: Readonly<Record<string, unknown>>
  /** When it is worth trying again, in seconds, where that is known. */
  readonly retryAfterS: number | undefined

  constructor(
    code: ProblemCode,
    fields: Readonly<Record<string, unknown>> = {},
    retryAfterS?: number,
  ) {
    super(PROBLEMS[code].detail)
    this.code = code
    this.fields = fields
    this.retryAfterS = retryAfterS
  }
}

/** One thing wrong with a request, in the wire's vocabulary. */
export type Violation = { loc: readonly (string | number)[]; msg: string; type: string }

/** A request that is well-formed but not valid: 422. */
export class Invalid extends Error {
  override readonly name = 'Invalid'
  readonly violations: readonly Violation[]

  constructor(violations: readonly Violation[]) {
    super('invalid request')
    this.violations = violations
  }
}
