import type { Authentication } from '#mail/incoming/results.ts'
import type { ShownThread } from '#store/messages.ts'

/** A conversation as the API shows it. */
export const conversationView = (row: ShownThread) => ({
  thread_id: row.id,
  inbox_id: row.inbox_id,
  lead_email: row.lead_email,
  subject: row.subject,
  last_message_preview: row.last_message_preview,
  authentication: row.last_authentication && resultsView(row.last_authentication),
  last_message_at: row.last_message_at.toISOString(),
  is_read: row.is_read,
  is_starred: row.is_starred,
  category: row.category,
  campaign_id: row.campaign_id,
  kind: row.kind,
  is_archived: row.archive !== undefined || row.archived_at !== null,
  archived_domain_name: row.archive?.domain ?? null,
  archived_inbox_email: row.archive?.address ?? null,
  archived_at: (row.archive?.at ?? row.archived_at)?.toISOString() ?? null,
})

export const resultsView = ({ spf, dkim, dmarc }: Authentication) => ({
  spf: spf.result,
  dkim: dkim.result,
  dmarc: dmarc.result,
})
