import type { Generated, JSONColumnType } from 'kysely'
import type { OwnedRecord } from '#domains/ports.ts'
import type { DelegationReport, DomainStatus } from '#domains/types.ts'
import type { KeyState, Occasion } from '#drivers/sender/contract.ts'
import type { RRset } from '#drivers/zone/contract.ts'
import type { EventType } from '#events/catalogue.ts'
import type { Kind } from '#mail/incoming/kind.ts'
import type { Authentication } from '#mail/incoming/results.ts'
import type { FoundPolicy } from '#mail/outgoing/tls-policies.ts'
import type { AppPasswordRow, InboxRow, MailboxCopyRow } from './inbox-tables.ts'
import type * as mail from './mail-tables.ts'

/** The tables, as migrations/ made them. Times are `Date`, bigints are strings, as `pg` gives them. */
export type Tables = {
  workspaces: { id: string; name: string; created_at: Generated<Date> }
  api_keys: ApiKeyRow
  request_counts: CountRow & { key_id: string }
  workspace_request_counts: CountRow & { workspace_id: string; world: WorldName }
  idempotent_requests: IdempotentRequestRow
  domains: DomainRow & DueRow
  claims: ClaimRow
  holders: {
    world: WorldName
    name: string
    claim_id: string
    epoch: Generated<string>
    since: Generated<Date>
  }
  conditions: ConditionRow
  placements: PlacementRow
  records: RecordRow
  zones: ZoneRow
  served_names: { name: string; changed: Generated<string>; serial: Generated<string> }
  platform_zones: { apex: string; digest: string; serial: Generated<string> }
  catalogs: { apex: string; serial: Generated<string>; writer: string | null; until: Date | null }
  catalog_members: { catalog: string; name: string; member_id: string }
  catalog_changes: CatalogChangeRow
  dkim_keypairs: {
    id: string
    private_key: string
    public_key: string
    created_at: Generated<Date>
  }
  sender_domains: { claim_id: string; name: string; created_at: Generated<Date> }
  dkim_keys: DkimKeyRow
  dkim_selectors: { name: string; selector: string }
  mail_domains: { claim_id: string; world: WorldName; name: string; created_at: Generated<Date> }
  mailboxes: { claim_id: string; localpart: string; created_at: Generated<Date> }
  inboxes: InboxRow
  app_passwords: AppPasswordRow
  mailbox_copies: MailboxCopyRow
  ended_log_ins: { mail_user: string }
  /** One row while the operator's stop of all sending lasts. */
  sending_stops: { one: Generated<true>; reason: string; at: Generated<Date> }
  smtp_accounts: mail.SmtpAccountRow
  campaigns: {
    id: string
    workspace_id: string
    world: WorldName
    name: string
    status: Generated<string>
    created_at: Generated<Date>
  }
  bulk_jobs: BulkJobRow
  suppressions: SuppressionRow
  campaign_inboxes: { campaign_id: string; inbox_id: string }
  threads: ThreadRow
  messages: mail.MessageRow
  message_contents: mail.ContentRow
  outgoing_messages: mail.OutgoingMessageRow & DueRow
  attempts: mail.AttemptRow
  dmarc_reports: mail.DmarcReportRow
  dmarc_rows: mail.DmarcCountRow
  probes: ProbeRow
  customer_records: CustomerRecordRow
  driver_notes: { account: string; claim_id: string; key: string; value: string }
  pace_shares: { process: string; share: number; until: Date }
  turns: { key: string; holder: string; lease_until: Date }
  handed_over: HandedOverRow
  provider_events: { account: string; event_id: string; received_at: Generated<Date> }
  redirects: RedirectRow
  events: EventRow
  canary: { is_only: Generated<boolean>; sealed: string; written_at: Generated<Date> }
  sandbox_delegations: {
    name: string
    nameservers: string[]
    ds: Generated<string[]>
    published_at: Date
  }
  sandbox_outcomes: { name: string; stage: string; outcome: string; times_left: number }
  sandbox_messages: SandboxMessageRow
  tls_policies: TlsPolicyRow
}

export type WorldName = 'live' | 'sandbox'

/** The columns of a table of due rows; see src/engine/due-rows.ts. */
export type DueRow = {
  next_at: Generated<Date>
  lease_until: Generated<Date>
  epoch: Generated<string>
  wake: Generated<string>
  failures: Generated<number>
}

type ApiKeyRow = {
  id: string
  workspace_id: string
  world: WorldName
  name: string
  hash: Buffer
  scopes: string[]
  expires_at: Date | null
  created_at: Generated<Date>
  last_used_at: Date | null
  revoked_at: Date | null
  /** The key that made it; null where an operator did. The bootstrap key has no row. */
  created_by_key_id: string | null
}

type CountRow = {
  minute_began: Date
  minute_count: number
  hour_began: Date
  hour_count: number
  let_in: boolean
}

/** A request that carried an Idempotency-Key; its answer, once there is one, is sealed. */
type IdempotentRequestRow = {
  key_id: string
  name: string
  fingerprint: Buffer
  claim: string
  lease_until: Date
  status: number | null
  content_type: string | null
  answer: string | null
  created_at: Generated<Date>
}

type DomainRow = {
  id: string
  workspace_id: string
  world: WorldName
  name: string
  status: Generated<DomainStatus>
  may_activate: Generated<boolean>
  zone_driver: string
  sender_driver: string
  mailbox_driver: string
  max_inboxes: Generated<number>
  created_at: Generated<Date>
  asked_at: Generated<Date>
  activated_at: Date | null
  /** Null unless it has failed, and while a retry of it is under way. */
  failed_at: Date | null
  delegation: JSONColumnType<DelegationReport> | null
  /** When a whole pass last found everything met, and when the next one is planned. */
  looked_at: Date | null
  next_look_at: Date | null
  /** Whether the next plan may drop many rrsets at once. */
  accepts_drops: Generated<boolean>
  import_state: Generated<'none' | 'wanted' | 'done' | 'incomplete'>
  /** Sentences on what an import could not find. */
  import_note: Generated<string>
  /** Whether mail that goes elsewhere may be taken over. */
  take_mail: Generated<boolean>
  removal_requested_at: Date | null
  torn_down_at: Date | null
  /** Until when the mail of a removed domain is kept. */
  mail_until: Date | null
  removed_at: Date | null
}

type ClaimRow = {
  id: string
  /** Null once the domain's row has expired. */
  domain_id: string | null
  workspace_id: string
  world: WorldName
  name: string
  nameservers: Generated<string[]>
  points_at_pool: Generated<boolean>
  shown_at: Date | null
  released_at: Date | null
  created_at: Generated<Date>
}

type ConditionRow = {
  domain_id: string
  type: string
  verdict: string
  reason: string | null
  message: string | null
  since: Date
  waited_ms: Generated<string>
  unmet_ms: Generated<string>
  last_look_at: Date | null
  last_look_error: string | null
  next_look_at: Date | null
}

type PlacementRow = {
  claim_id: string
  stage: string
  driver: string
  made_at: Generated<Date>
  removed_at: Date | null
  abandoned_at: Date | null
}

type RecordRow = {
  id: string
  domain_id: string
  name: string
  type: string
  value: string
  ttl: number
  purpose: string
  status: Generated<OwnedRecord['status']>
  observed: Generated<string[]>
  last_checked_at: Date | null
}

type TlsPolicyRow = {
  domain: string
  policy: JSONColumnType<FoundPolicy>
  expires_at: Date
}

type ZoneRow = {
  claim_id: string
  world: WorldName
  name: string
  nameservers: string[]
  rrsets: JSONColumnType<RRset[]>
}

type CatalogChangeRow = {
  catalog: string
  serial: string
  name: string
  member_id: string
  is_added: boolean
}

type DkimKeyRow = {
  claim_id: string
  selector: string
  /** Null once the key signs no more. */
  private_key: string | null
  public_key: string
  state: KeyState
  since: Generated<Date>
  occasion: Generated<Occasion>
}

/** An address that gets no mail. */
type SuppressionRow = {
  id: string
  /** Null: of the installation. */
  workspace_id: string | null
  world: WorldName
  /** A keyed hash of the address. */
  hash: Buffer
  /** Null once it is erased. */
  address: string | null
  reason: 'bounced' | 'complained' | 'unsubscribed' | 'manual'
  origin: 'message' | 'api' | 'import'
  detail: Generated<string>
  created_at: Generated<Date>
}

/** A bulk request: its results by row, in order. */
type BulkJobRow = {
  id: string
  workspace_id: string
  world: WorldName
  kind: 'add_inboxes' | 'delete_inboxes'
  results: JSONColumnType<readonly Record<string, unknown>[]>
  created_at: Generated<Date>
}

type ThreadRow = {
  id: string
  workspace_id: string
  world: WorldName
  inbox_id: string
  lead_email: string
  subject: string
  thread_key: string
  last_message_preview: string
  last_message_at: Date
  /** What was found out about the last message. */
  last_authentication: JSONColumnType<Authentication> | null
  is_read: Generated<boolean>
  is_starred: Generated<boolean>
  category: string | null
  campaign_id: string | null
  /** Of the last message received. */
  kind: Generated<Kind>
  /** When its reader archived it. */
  archived_at: Date | null
}

type ProbeRow = {
  id: string
  domain_id: string
  recipient: string
  fingerprint: string
  sent_at: Date | null
  judged_at: Date | null
  judgement: JSONColumnType<Authentication> | null
}

/** A message that an outside sender took over, and its later reports. */
type HandedOverRow = {
  account: string
  operation_id: string
  claim_id: string | null
  recipient: string
  state: Generated<string>
  detail: Generated<string>
  handed_at: Generated<Date>
  reported_at: Date | null
}

/** A record of the customer's own in the hosted zone. */
type CustomerRecordRow = {
  id: string
  domain_id: string
  name: string
  type: string
  value: string
  ttl: number
  origin: 'added' | 'imported' | 'cut'
  removed_at: Date | null
  created_at: Generated<Date>
}

type EventRow = {
  id: string
  workspace_id: string
  world: WorldName | null
  /** Null for events of no domain, and of mail, which has its own list. */
  domain_id: string | null
  /** In the feed of its workspace and world; assigned when it is read. */
  position: string | null
  at: Generated<Date>
  type: EventType
  stage: string | null
  message: string
  data: JSONColumnType<Record<string, unknown>>
}

type RedirectRow = {
  id: string
  workspace_id: string
  world: WorldName
  domain_id: string
  target_domain: string
  status_code: 301 | 302 | 307 | 308
  preserve_path: boolean
  preserve_query_string: boolean
  created_at: Generated<Date>
  changed_at: Generated<Date>
}

type SandboxMessageRow = {
  id: string
  envelope_sender: string
  recipient: string
  raw: Buffer
  authentication: JSONColumnType<Authentication>
  received_at: Generated<Date>
}
