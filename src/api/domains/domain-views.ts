/** A domain as the API shows it. The names `mailcow_added` and `cloudflare_verified` are given. */

import { isOptional } from '#domains/desired-records.ts'
import { type Conditions, failedStage, firstUnmet, isDone, LIFECYCLE } from '#domains/lifecycle.ts'
import { sendingObstacle } from '#domains/sending.ts'
import type { Condition, ConditionType, DomainStatus, Party } from '#domains/types.ts'
import { IMPORTING, WAITS_FOR_OTHERS, WAITS_FOR_WORD } from '#domains/waits.ts'
import { relative } from '#names/domain-name.ts'
import type { CustomerRecordRow } from '#store/customer-records.ts'
import type { DomainRow, ListedDomain, RecordRow } from '#store/domains.ts'
import { API_PREFIX } from '../http/context.ts'
import { SUCCESS } from '../http/shapes.ts'

export const progressUrl = (id: string): string => `${API_PREFIX}/domains/${id}/progress`

export function listItem(row: ListedDomain, conditions: Conditions, inboxes: number) {
  const isMet = (type: ConditionType) => isDone(conditions.get(type)?.verdict)
  return {
    domain_id: row.id,
    domain_name: row.name,
    status: row.status,
    mailcow_added: isMet('mail_domain_ready'),
    cloudflare_verified: isMet('zone_ready') && isSeen(conditions),
    max_inboxes: row.max_inboxes,
    current_inboxes: inboxes,
    created_at: row.created_at.toISOString(),
  }
}

/** The delegation is seen; the mail services may still wait for approval. */
function isSeen(conditions: Conditions): boolean {
  const verdict = conditions.get('delegated')?.verdict
  return isDone(verdict) || (verdict?.is === 'waiting' && verdict.reason === 'awaiting_activation')
}

export type DomainDetails = {
  row: DomainRow
  conditions: Conditions
  inboxes: number
  nameservers: readonly string[]
  records: readonly RecordRow[]
  imported: readonly CustomerRecordRow[]
}

export function details(
  { row, conditions, inboxes, nameservers, records, imported }: DomainDetails,
  now: Date,
) {
  return {
    ...SUCCESS,
    message: 'Domain retrieved successfully',
    ...listItem(row, conditions, inboxes),
    nameservers,
    dns_records: [...records.map(recordViewer(conditions)), ...imported.map(customerRecordView)],
    inbox_capacity: {
      max: row.max_inboxes,
      current: inboxes,
      available: Math.max(0, row.max_inboxes - inboxes),
    },
    activated_at: row.activated_at?.toISOString() ?? null,
    failure: failureView(row, conditions),
    delegation: delegationView(row, conditions),
    conditions: LIFECYCLE.map(({ met }) => conditionView(met, conditions.get(met))),
    sending: sendingOf(row, conditions, now),
    providers: { dns: row.zone_driver, sender: row.sender_driver, mailbox: row.mailbox_driver },
  }
}

/** Our records as last seen: each look at the stage looks for all of them. */
export function recordViewer(conditions: Conditions) {
  const lookedAt = conditions.get('records_published')?.lastLookAt
  return (row: RecordRow) => ({
    ...recordView(row),
    purpose: row.purpose,
    required: !isOptional(row),
    managed: true,
    status: row.status,
    observed: row.observed,
    message: RECORD_SENTENCES[row.status] ?? '',
    checked_at: row.last_checked_at && latest(row.last_checked_at.toISOString(), lookedAt),
  })
}

const RECORD_SENTENCES: Record<string, string> = {
  missing: 'Nobody outside sees it yet.',
  mismatch: 'Who asks from outside sees something else.',
}

/** Shows the number of MX and SRV separately. */
function recordView({ id, type, name, value, ttl }: RecordRow | CustomerRecordRow) {
  const [, priority, rest] = /^(MX|SRV)$/.test(type) ? (/^(\d+) (.*)$/.exec(value) ?? []) : []
  return {
    record_id: id,
    type,
    name: relative(name),
    value: rest ?? value,
    ttl,
    priority: priority === undefined ? null : Number(priority),
  }
}

/** A record of the customer's own; no look checks it. */
export function customerRecordView(row: CustomerRecordRow) {
  return {
    ...recordView(row),
    purpose: row.origin === 'imported' ? 'imported' : 'custom',
    required: false,
    managed: false,
    status: 'unknown' as const,
    observed: [],
    message: '',
    checked_at: null,
  }
}

export function failureView(row: DomainRow, conditions: Conditions) {
  const stage = failedStage(conditions, row.activated_at !== null)
  const condition = stage && conditions.get(stage.met)
  if (row.failed_at === null || !condition) return null
  const { verdict } = condition
  return {
    stage: stage.met,
    reason: 'reason' in verdict ? verdict.reason : 'unknown',
    message: 'message' in verdict ? verdict.message : '',
    retryable: true,
    failed_at: row.failed_at.toISOString(),
  }
}

/** The stored report as the API shows it; null before the first look. */
export function delegationView({ delegation }: DomainRow, conditions: Conditions) {
  if (!delegation) return null
  const { verdict, expected, observed, message, servers, checkedAt, settledAt } = delegation
  const { nextLookAt: next, lastLookAt } = conditions.get('delegated') ?? {}
  return {
    verdict,
    expected,
    observed,
    message,
    servers,
    checked_at: latest(checkedAt, lastLookAt),
    next_check_at: next?.toISOString() ?? null,
    settled_at: settledAt,
  }
}

/** An unchanged report is not written again; the time of its look is. */
const latest = (checkedAt: string, lookedAt: Date | undefined): string =>
  lookedAt && lookedAt.getTime() > Date.parse(checkedAt) ? lookedAt.toISOString() : checkedAt

function conditionView(type: ConditionType, condition: Condition | undefined) {
  if (!condition) return { ...UNKNOWN, type }
  const { verdict, since, lastLookAt, lastLookError, nextLookAt } = condition
  const stage = LIFECYCLE.find(({ met }) => met === type)!
  return {
    type,
    status: verdict.is,
    reason: 'reason' in verdict ? verdict.reason : null,
    message: [
      'message' in verdict ? verdict.message : '',
      lastLookError && `The last look could not be taken: ${lastLookError}`,
    ]
      .filter(Boolean)
      .join(' '),
    waiting_for: verdict.is === 'waiting' ? partyFor(stage.waitsFor, verdict.reason) : null,
    since: since.toISOString(),
    checked_at: lastLookAt?.toISOString() ?? null,
    next_check_at: nextLookAt?.toISOString() ?? null,
  }
}

/** Some reasons wait for the customer or for us, whatever the stage. */
function partyFor(party: Party, reason: string): Party {
  if (WAITS_FOR_WORD.includes(reason)) return 'customer'
  return reason === 'lame' ? 'us' : party
}

const UNKNOWN = {
  status: 'unknown' as const,
  reason: null,
  message: '',
  waiting_for: null,
  since: null,
  checked_at: null,
  next_check_at: null,
}

/** Only an active domain accepts new messages. */
export function sendingOf(
  row: DomainRow,
  conditions: Conditions,
  now: Date,
): { allowed: boolean; reason: string | null } {
  if (row.status !== 'ACTIVE') return { allowed: false, reason: 'domain_not_active' }
  const reason = sendingObstacle(conditions, row.delegation, now) ?? null
  return { allowed: reason === null, reason }
}

/** A short progress for users: no stage names, no counts. */
export function progress(row: DomainRow, conditions: Conditions) {
  const done = LIFECYCLE.filter(({ met }) => isDone(conditions.get(met)?.verdict)).length
  const isActive = row.status === 'ACTIVE'
  return {
    ...SUCCESS,
    message: 'Progress retrieved successfully',
    domain_id: row.id,
    domain_name: row.name,
    status: PROGRESS_STATUS[row.status],
    progress_percentage: isActive ? 100 : Math.floor((done * 100) / LIFECYCLE.length),
    is_complete: isActive,
    is_failed: row.status === 'FAILED',
    status_message: sentence(row, conditions),
  }
}

const PROGRESS_STATUS = {
  PENDING: 'PENDING',
  DNS_CONFIGURING: 'IN_PROGRESS',
  DNS_PENDING: 'IN_PROGRESS',
  SERVICES_CONFIGURING: 'IN_PROGRESS',
  ACTIVE: 'COMPLETED',
  FAILED: 'FAILED',
} as const satisfies Record<DomainStatus, string>

function sentence(row: DomainRow, conditions: Conditions): string {
  if (row.status === 'ACTIVE') return 'Your domain is ready to send and receive mail.'
  if (row.status === 'PENDING') return 'Your domain will be looked at in a moment.'
  const stage = failedStage(conditions, row.activated_at !== null) ?? firstUnmet(conditions)!
  const { verdict, lastLookError } = conditions.get(stage.met) ?? {}
  const said = verdict && 'message' in verdict ? verdict : undefined
  if (row.status === 'FAILED' && said) return said.message
  if (lastLookError)
    return `${SENTENCES[stage.met]} A part we need does not answer at the moment; we keep trying.`
  const isSeen = row.delegation && row.delegation.verdict !== 'not_published'
  const saysMore =
    stage.met === 'delegated'
      ? isSeen
      : [...WAITS_FOR_OTHERS, IMPORTING].includes(said?.reason ?? '')
  return said && saysMore ? said.message : SENTENCES[stage.met]
}

// biome-ignore format: a table
const SENTENCES: Record<ConditionType, string> = {
  zone_ready:        'Your zone is being made.',
  delegated:         'Waiting for your registrar to publish the nameservers.',
  sender_registered: 'Your domain is being set up for sending.',
  mail_domain_ready: 'Your domain is being set up for receiving.',
  records_published: 'The mail records are being published.',
  sender_verified:   'The sending service is checking the records.',
  mail_proven:       'A test message is on its way.',
}
