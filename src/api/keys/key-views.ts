import type { ApiKeyRow } from '#store/api-keys.ts'

/** A key as listed: without its text, which is not stored. */
export function keyItem(row: ApiKeyRow) {
  return {
    key_id: row.id,
    name: row.name,
    scopes: row.scopes,
    expires_at: row.expires_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    last_used_at: row.last_used_at?.toISOString() ?? null,
    created_by_key_id: row.created_by_key_id,
  }
}
