/** The octets of stored mail, counted on insert and delete. */
import { type RawBuilder, sql } from 'kysely'
import type { Quotas, Usage } from '#mail/incoming/quota.ts'
import type { Database } from './database.ts'

/**
 * Subtracts messages that the same statement deletes: follows a `with` whose `gone` has their `claim_id`,
 * `localpart` and `content_id`.
 */
export const subtractUsageOfGone: RawBuilder<unknown> = sql`
  update mail_usage u set octets = greatest(0, u.octets - freed.octets)
    from (select gone.claim_id, gone.localpart, sum(c.octets) as octets
            from gone join message_contents c on c.id = gone.content_id group by 1, 2) freed
   where u.claim_id = freed.claim_id and u.localpart = freed.localpart`

/** The octets of an inbox, its domain and its workspace; skips what has no quota. */
export async function mailUsage(
  db: Database,
  claimId: string,
  localpart: string,
  quotas: Quotas,
): Promise<Usage> {
  const held = (isAsked: boolean, which: RawBuilder<unknown>) =>
    isAsked ? sql`(select coalesce(sum(octets), 0) from mail_usage where ${which})` : sql`0`
  const ofWorkspace = sql`claim_id in (select id from claims where workspace_id = (
    select workspace_id from claims where id = ${claimId}))`
  const { rows } = await sql<Record<keyof Usage, string>>`
    select ${held(quotas.inbox > 0, sql`claim_id = ${claimId} and localpart = ${localpart}`)} as inbox,
           ${held(quotas.domain > 0, sql`claim_id = ${claimId}`)} as domain,
           ${held(quotas.workspace > 0, ofWorkspace)} as workspace`.execute(db)
  const [found] = rows
  return {
    inbox: Number(found!.inbox),
    domain: Number(found!.domain),
    workspace: Number(found!.workspace),
  }
}
