import type { DomainRow } from '#store/domains.ts'
import type { KnownRedirect } from '#store/redirects.ts'

/** A redirect as the API shows it, without an envelope. */
export function redirectView({ name }: DomainRow, { row, isServed, isSetUp }: KnownRedirect) {
  return {
    redirect_id: row.id,
    source_domain: name,
    target_domain: row.target_domain,
    status_code: row.status_code,
    preserve_path: row.preserve_path,
    preserve_query_string: row.preserve_query_string,
    is_active: isServed,
    setup_completed: isSetUp,
    created_at: row.created_at.toISOString(),
  }
}
