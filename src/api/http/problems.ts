/** The errors a caller can get, each with its code: a closed set, mapped to HTTP in one place. */

// biome-ignore format: a table
export const PROBLEMS = {
  record_not_found: { status: 404, detail: 'Record not found' },
  record_exists: { status: 409, detail: 'The zone has this record already' },
  record_managed: { status: 409, detail: 'Mailstead manages this record; it cannot be edited' },
  record_conflict: { status: 409, detail: 'The record conflicts with others at its name: a CNAME stands alone, and other MX records beside ours are not allowed' },
  too_many_records: { status: 409, detail: 'The domain has reached its limit of own records' },
  api_key_required:        { status: 401, detail: 'API key required. Include your API key in X-API-Key header.' },
  api_key_invalid:         { status: 401, detail: 'Invalid or revoked API key' },
  installation_key_required:{ status: 403, detail: 'This call needs a key of the first workspace with all scopes' },
  insufficient_scopes:     { status: 403, detail: 'Missing required scopes' },
  rate_limited:            { status: 429, detail: 'Rate limit exceeded' },
  too_many_streams:        { status: 429, detail: 'The key has reached its limit of open streams' },
  idempotency_mismatch:    { status: 409, detail: 'The Idempotency-Key was used for another request' },
  idempotency_in_progress: { status: 409, detail: 'The first request with this Idempotency-Key is still in progress' },
  workspace_not_found:     { status: 404, detail: 'Workspace not found' },
  key_not_found:           { status: 404, detail: 'Key not found' },
  too_many_keys:           { status: 409, detail: 'The workspace has reached its limit of keys' },
  sandbox_off:             { status: 403, detail: 'The sandbox is off in this installation' },
  live_not_configured:     { status: 503, detail: 'Live domains need a nameserver zone of your own: set MAILSTEAD_NAMESERVER_ZONE' },
  installation_not_ready:  { status: 503, detail: 'The installation is not ready for live domains' },
  domain_not_found:        { status: 404, detail: 'Domain not found' },
  sender_account_not_found:{ status: 404, detail: 'Sender account not found' },
  log_ins_off:             { status: 409, detail: 'No server takes mail from mail programs: set MAILSTEAD_SUBMISSION_LISTEN' },
  app_password_not_found:  { status: 404, detail: 'App password not found' },
  too_many_app_passwords:  { status: 409, detail: 'The inbox has reached its limit of app passwords' },
  redirect_not_found:      { status: 404, detail: 'The domain has no redirect' },
  removal_not_found:       { status: 404, detail: 'There is no removal of such a domain' },
  delegation_not_found:    { status: 404, detail: 'The sandbox\'s registrar has no nameservers for this name' },
  outcome_not_found:       { status: 404, detail: 'No outcome is set for this name' },
  test_key_required:       { status: 403, detail: 'The sandbox takes test keys only' },
  mail_not_taken:          { status: 409, detail: 'The message was not accepted' },
  not_found:               { status: 404, detail: 'Not found' },
  domain_exists:           { status: 409, detail: 'This workspace has the domain already' },
  domain_being_removed:    { status: 409, detail: 'The domain is being removed; add it again when that is done' },
  too_many_claims:         { status: 409, detail: 'Too many workspaces are already waiting for this name' },
  too_many_adds:           { status: 429, detail: 'This name was added too often within the last hour' },
  domain_not_ready:        { status: 409, detail: 'The zone is still being created; its nameservers are not known yet' },
  not_inside_your_zone:    { status: 409, detail: 'The domain is not inside a zone of this workspace' },
  domain_not_active:       { status: 409, detail: 'The domain is not active' },
  redirects_not_configured:{ status: 409, detail: 'No web server answers for redirects: set MAILSTEAD_REDIRECT_LISTEN' },
  public_url_not_configured:{ status: 409, detail: 'No web address for links in messages is known: set MAILSTEAD_PUBLIC_URL' },
  domain_in_use:           { status: 409, detail: 'An active campaign uses the domain' },
  sending_limit_reached:   { status: 429, detail: 'The limit of messages within 24 hours is reached' },
  suppression_not_found:   { status: 404, detail: 'Suppression not found' },
  suppression_of_recipient:{ status: 409, detail: 'The recipient asked for no more mail' },
  recipient_suppressed:    { status: 409, detail: 'The recipient gets no mail from here' },
  conversation_not_found:  { status: 404, detail: 'Conversation not found' },
  conversation_archived:   { status: 409, detail: 'The inbox of the conversation has been removed' },
  conversation_without_author: { status: 409, detail: 'The messages name no single author to answer' },
  conversation_message_not_found: { status: 404, detail: 'The conversation has no such message' },
  attachment_not_found:    { status: 404, detail: 'The message has no such attachment' },
  attachments_too_large:   { status: 413, detail: 'The attachments are larger than 10 MiB together' },
  message_not_composed:    { status: 503, detail: 'The message could not be composed in time' },
  message_not_readable:    { status: 503, detail: 'The message could not be read in time' },
  message_not_found:       { status: 404, detail: 'Message not found' },
  all_sending_stopped:     { status: 503, detail: 'The operator stopped all sending for now' },
  sending_stopped:         { status: 409, detail: 'Sending from this domain is stopped' },
  not_rotatable:           { status: 409, detail: 'The sender service rotates its keys by itself' },
  rotation_in_progress:    { status: 409, detail: 'A new key is already being published' },
  inbox_exists:            { status: 409, detail: 'The address is taken' },
  inbox_is_elsewhere:      { status: 409, detail: 'The inbox is at another provider' },
  connection_failed:       { status: 400, detail: 'A log-in at the provider of the inbox failed' },
  inbox_being_removed:     { status: 409, detail: 'The inbox at this address is being removed; add it again when that is done' },
  inbox_in_use:            { status: 409, detail: 'An active campaign uses the inbox' },
  inbox_paused:            { status: 409, detail: 'The inbox is paused' },
  job_not_found:           { status: 404, detail: 'Job not found' },
  inbox_not_ready:         { status: 409, detail: 'The mailbox is still being created' },
  inbox_capacity_reached:  { status: 409, detail: 'The domain has reached its limit of inboxes' },
  invalid_json:            { status: 400, detail: 'The body is not JSON' },
  bad_request:             { status: 400, detail: 'The request cannot be understood' },
  body_too_large:          { status: 413, detail: 'The body is larger than this operation accepts' },
  unsupported_media_type:  { status: 415, detail: 'Send the body as application/json' },
  uri_too_long:            { status: 414, detail: 'The URL of the request is too long' },
  headers_too_large:       { status: 431, detail: 'The headers of the request are too large' },
  provider_refused:        { status: 409, detail: 'The mail service refused the request' },
  provider_unavailable:    { status: 503, detail: 'The mail service does not answer at the moment' },
  unknown_host:            { status: 421, detail: 'This server does not answer for that Host' },
  internal:                { status: 500, detail: 'Internal server error' },
  database_away:           { status: 503, detail: 'The database does not answer at the moment' },
} as const satisfies Record<string, { status: number; detail: string }>

export type ProblemCode = keyof typeof PROBLEMS

/** An error of the caller or the installation: `fields` go beside `detail` and `error`. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly fields: Readonly<Record<string, unknown>>
  /** When to try again, in seconds, if known. */
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

/** One error in a request, as the API shows it. */
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
