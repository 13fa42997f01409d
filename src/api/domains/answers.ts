/**
 * The shapes of answers about domains, for OpenAPI and clients. They do not serialise answers: tests check
 * that answers have these shapes.
 */
import { z } from 'zod'
import {
  answerFields,
  domainFields,
  domainStatus,
  instant,
  pagination,
  stage,
  url,
} from '../openapi/parts.ts'
import { components } from '../openapi/schema.ts'

export const domainAdded = z
  .object({
    ...answerFields,
    ...domainFields,
    status: domainStatus,
    nameservers: z.array(z.string()).describe('Set these at the registrar, and no others.'),
    max_inboxes: z.int(),
    current_inboxes: z.int(),
    created_at: instant,
    progress_url: url,
  })
  .register(components, { id: 'DomainAdded' })

const listFields = {
  ...domainFields,
  status: domainStatus,
  mailcow_added: z
    .boolean()
    .describe('The domain exists at its mailbox service, whichever service that is.'),
  cloudflare_verified: z
    .boolean()
    .describe('The parent delegates the domain to its zone host, whichever host that is.'),
  max_inboxes: z.int(),
  current_inboxes: z.int(),
  created_at: instant,
}

export const domainList = z
  .object({
    ...answerFields,
    domains: z.array(z.object(listFields).register(components, { id: 'DomainItem' })),
    pagination,
  })
  .register(components, { id: 'DomainList' })

const dnsRecord = z
  .object({
    record_id: z.uuid(),
    type: z.string(),
    name: z.string(),
    value: z.string().describe('The rdata in presentation format; a long TXT is not split.'),
    ttl: z.int().describe('Seconds.'),
    priority: z.int().nullable(),
    purpose: z.string().describe('`mx`, `spf`, `dkim`, `dmarc`, `verification` and others.'),
    required: z.boolean(),
    managed: z.boolean().describe('Mailstead publishes and repairs it.'),
    status: z.enum(['published', 'pending', 'missing', 'mismatch', 'unknown']),
    observed: z.array(z.string()).describe('The values in the public DNS at the latest look.'),
    message: z.string(),
    checked_at: instant.nullable(),
  })
  .register(components, { id: 'DnsRecord' })

const delegation = z
  .object({
    verdict: z
      .string()
      .describe('`delegated`, `not_published`, `elsewhere`, `partial`, `wrong_pair` and others.'),
    expected: z.array(z.string()),
    observed: z.array(z.string()),
    message: z.string(),
    checked_at: instant,
    next_check_at: instant.nullable(),
    settled_at: instant
      .nullable()
      .describe('When the last cached delegation to former nameservers has expired.'),
    servers: z.array(
      z.object({
        name: z.string(),
        address: z.string(),
        transport: z.enum(['udp', 'tcp']),
        outcome: z.string(),
        nameservers: z.array(z.string()),
        authoritative: z.boolean(),
        ttl: z.int().nullable().describe('The TTL of the answer, in seconds.'),
        ms: z.number(),
      }),
    ),
  })
  .register(components, { id: 'Delegation' })

const condition = z
  .object({
    type: stage,
    status: z.enum(['met', 'waiting', 'failed', 'not_applicable', 'unknown']),
    reason: z.string().nullable(),
    message: z.string(),
    waiting_for: z.enum(['us', 'customer', 'provider']).nullable(),
    since: instant.nullable(),
    checked_at: instant.nullable(),
    next_check_at: instant.nullable(),
  })
  .register(components, { id: 'Condition' })

const failure = z.object({
  stage,
  reason: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  failed_at: instant,
})

export const domain = z
  .object({
    ...answerFields,
    ...listFields,
    nameservers: z.array(z.string()),
    dns_records: z.array(dnsRecord),
    inbox_capacity: z.object({ max: z.int(), current: z.int(), available: z.int() }),
    activated_at: instant.nullable(),
    failure: failure.nullable(),
    delegation: delegation.nullable().describe('Null before the first look.'),
    conditions: z.array(condition),
    sending: z.object({ allowed: z.boolean(), reason: z.string().nullable() }),
    providers: z.object({ dns: z.string(), sender: z.string(), mailbox: z.string() }),
  })
  .register(components, { id: 'Domain' })

export const activation = z
  .object({
    ...answerFields,
    ...domainFields,
    status: domainStatus,
    dns_verified: z.boolean(),
    progress_url: url,
    estimated_completion: instant.nullable(),
    delegation: delegation
      .nullable()
      .optional()
      .describe('What the parent shows; only while the domain is not delegated.'),
  })
  .register(components, { id: 'Activation' })

export const progressAnswer = z
  .object({
    ...answerFields,
    ...domainFields,
    status: z.enum(['PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED']),
    progress_percentage: z.int().min(0).max(100),
    is_complete: z.boolean(),
    is_failed: z.boolean(),
    status_message: z.string().describe('Says in one sentence how far the domain is.'),
  })
  .register(components, { id: 'Progress' })

export const blocker = z
  .object({ type: z.string(), id: z.uuid(), name: z.string(), status: z.string() })
  .register(components, { id: 'Blocker' })

const deleted = z.object({ ...answerFields, ...domainFields, deleted: z.literal(true) })
const part = z.object({ what: z.string(), provider: z.string(), count: z.int() })

const rehearsal = z.object({
  ...answerFields,
  ...domainFields,
  deleted: z.literal(false),
  blockers: z.array(blocker),
  would_remove: z.array(part),
  would_keep: z
    .array(part)
    .describe('Records that Mailstead serves as long as the parent delegates to it.'),
})

export const deletion = z.union([deleted, rehearsal]).register(components, { id: 'Deletion' })

export const removalAnswer = z
  .object({
    ...domainFields,
    state: z.enum(['removing', 'tombstone', 'done', 'abandoned']),
    steps: z.array(
      z.object({
        what: z.string(),
        provider: z.string(),
        state: z.enum(['waiting', 'removed', 'abandoned']),
        message: z.string(),
      }),
    ),
    started_at: instant,
    finished_at: instant.nullable(),
  })
  .register(components, { id: 'Removal' })

export const recordList = z
  .object({ ...answerFields, records: z.array(dnsRecord) })
  .register(components, { id: 'RecordList' })

export const recordAnswer = z
  .object({ ...answerFields, record: dnsRecord })
  .register(components, { id: 'RecordSaid' })

export const recordRemoved = z
  .object({ ...answerFields, record_id: z.uuid() })
  .register(components, { id: 'RecordRemoved' })

export const zoneCut = z
  .object({
    ...answerFields,
    ...domainFields,
    zone: z.string().describe('The zone that delegates the domain.'),
    nameservers: z.array(z.string()),
  })
  .register(components, { id: 'ZoneCut' })

export const fileReport = z.object({
  added: z.int().describe('How many records the file added to the zone.'),
  present: z.int().describe('How many records of the file the zone had already.'),
  left_out: z.array(
    z.object({ line: z.int(), name: z.string(), type: z.string(), reason: z.string() }),
  ),
})

export const importAnswer = z
  .object({
    ...answerFields,
    ...domainFields,
    state: z.enum(['none', 'wanted', 'done', 'incomplete']),
    take_mail: z.boolean(),
    records: z.array(dnsRecord),
    file: fileReport.nullable().describe('The result of the zone file in the request.'),
  })
  .register(components, { id: 'Import' })

export const redirectAnswer = z
  .object({
    redirect_id: z.uuid(),
    source_domain: z.string(),
    target_domain: z.string(),
    status_code: z.literal([301, 302, 307, 308]),
    preserve_path: z.boolean(),
    preserve_query_string: z.boolean(),
    is_active: z.boolean(),
    setup_completed: z
      .boolean()
      .describe('Its records are published, and visible in the public DNS.'),
    created_at: instant,
  })
  .register(components, { id: 'Redirect' })

export const rotationAnswer = z
  .object({
    ...answerFields,
    ...domainFields,
    state: z.enum(['rotating', 'rotated']),
    selectors: z.array(
      z.object({
        selector: z.string(),
        state: z.enum(['pending', 'signing', 'retiring', 'revoked']),
      }),
    ),
  })
  .register(components, { id: 'DkimRotation' })

const policy = z.enum(['none', 'quarantine', 'reject'])
const messages = z.number().describe('Messages, as receivers counted them.')
const aligned = z.number().describe('Those that passed DKIM or SPF for the domain itself.')

export const dmarcShown = z
  .object({
    ...answerFields,
    domain_id: z.uuid(),
    from: z.iso.date(),
    to: z.iso.date(),
    totals: z.object({
      messages,
      aligned,
      reports: z.int(),
      unauthenticated_reports: z
        .int()
        .describe('Reports whose own messages did not pass DMARC; nothing else of them is used.'),
    }),
    days: z.array(z.object({ day: z.iso.date(), messages, aligned })),
    sources: z
      .array(
        z.object({
          source_ip: z.string(),
          header_from: z.string(),
          envelope_from: z.string(),
          disposition: z
            .string()
            .describe('What the receivers did: `none`, `quarantine` or `reject`.'),
          messages,
          dkim_aligned: z.number(),
          spf_aligned: z.number(),
          aligned,
        }),
      )
      .describe('The 100 with the most messages.'),
    reporters: z
      .array(
        z.object({
          author: z.string().describe('The address that sent the reports.'),
          reporter: z.string().describe('As it names itself.'),
          reports: z.int(),
          authenticated: z
            .boolean()
            .describe('Whether the messages with the reports passed DMARC.'),
        }),
      )
      .describe('The 50 with the most reports.'),
    policy: policy
      .nullable()
      .describe('What our DMARC record asks for; null where the record is not ours.'),
    proposal: z
      .object({
        policy,
        since: instant,
        evidence: z.object({
          messages,
          aligned,
          unknown_sources: z.array(z.string()).describe('Sources that sent no aligned message.'),
        }),
      })
      .nullable()
      .describe(
        'A stricter policy once 98 % of at least 100 messages were aligned for 30 days and no source is unknown, or a weaker one when mail is lost. It is not applied by itself.',
      ),
  })
  .register(components, { id: 'DmarcReports' })
