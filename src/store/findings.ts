/** Writes what a look found in one statement, only while the lease is valid. */
import { sql } from 'kysely'
import type { Findings } from '#domains/recorder.ts'
import type { Condition, ConditionType, Verdict } from '#domains/types.ts'
import { LeaseLost, type Taken } from '#engine/due-rows.ts'
import type { Database } from './database.ts'
import { insertDomainEvents } from './events.ts'
import { ON_CONFLICT_TOUCH } from './served-names.ts'

/** Throws `LeaseLost`, without writing, when another worker has taken the row. */
export async function writeFindings(
  db: Database,
  { id, epoch }: Taken,
  findings: Findings,
): Promise<void> {
  const { status, activatedAt = null, failedAt, delegation = null, touchesName } = findings
  const conditions = [...findings.conditions].map(([type, condition]) => rowOf(type, condition))
  const held = await sql`
    with held as (
      update domains
         set status = ${status}, activated_at = coalesce(activated_at, ${activatedAt}),
             failed_at = ${failedAt},
             delegation = coalesce(${delegation && JSON.stringify(delegation)}::jsonb, delegation)
       where id = ${id} and epoch = ${epoch} returning id, workspace_id, world, name),
    found as (
      insert into conditions (domain_id, type, verdict, reason, message, since, waited_ms, unmet_ms,
                              last_look_at, last_look_error, next_look_at)
      select held.id, c.type, verdict, reason, message, since, waited_ms, unmet_ms, last_look_at,
             last_look_error, next_look_at
        from held, jsonb_populate_recordset(null::conditions, ${JSON.stringify(conditions)}) c
      on conflict (domain_id, type) do update
         set verdict = excluded.verdict, reason = excluded.reason, message = excluded.message,
             since = excluded.since, waited_ms = excluded.waited_ms, unmet_ms = excluded.unmet_ms,
             last_look_at = excluded.last_look_at, last_look_error = excluded.last_look_error,
             next_look_at = excluded.next_look_at),
    new_events as (
      ${insertDomainEvents(sql`held`, findings.events)}),
    touched as (
      insert into served_names (name) select name from held where ${touchesName} ${ON_CONFLICT_TOUCH})
    select id from held`.execute(db)
  if (held.rows.length === 0) throw new LeaseLost(`domain ${id} was taken by another worker`)
}

function rowOf(type: ConditionType, condition: Condition) {
  const { verdict, since, waitedMs, unmetMs, lastLookAt, lastLookError, nextLookAt } = condition
  return {
    type,
    verdict: verdict.is,
    ...reasonAndMessage(verdict),
    since,
    waited_ms: Math.round(waitedMs),
    unmet_ms: Math.round(unmetMs),
    last_look_at: lastLookAt,
    last_look_error: lastLookError,
    next_look_at: nextLookAt,
  }
}

const reasonAndMessage = (verdict: Verdict) =>
  'reason' in verdict ? { reason: verdict.reason, message: verdict.message } : {}
