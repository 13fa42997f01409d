/** The stored conditions of a domain, and their current values. */
import { type Selectable, sql } from 'kysely'
import { afterRepeatedLook } from '#domains/conditions.ts'
import { stagesLookedAt } from '#domains/lifecycle.ts'
import type { Condition, ConditionType, Verdict } from '#domains/types.ts'
import type { Tables } from './tables.ts'

export type ConditionRow = Selectable<Tables['conditions']>

/** For a query on `domains d`: one query costs less than two. */
export const conditionsInJson = sql<Unparsed[]>`coalesce(
  (select jsonb_agg(k) from conditions k where k.domain_id = d.id), '[]')`.as('conditions')

type Unparsed = Record<keyof ConditionRow, string>

/** In JSON, times are texts. */
export function withDates(row: Unparsed): ConditionRow {
  const { since, last_look_at, next_look_at } = row
  return {
    ...row,
    since: new Date(since),
    last_look_at: last_look_at && new Date(last_look_at),
    next_look_at: next_look_at && new Date(next_look_at),
  } as ConditionRow
}

/** Looks that find no change are noted once, in the domain's own row. */
export function toConditions(
  rows: readonly ConditionRow[],
  { activated_at, looked_at, next_look_at }: LookTimes,
): Map<ConditionType, Condition> {
  const of = (row: ConditionRow): [ConditionType, Condition] => [
    row.type as ConditionType,
    {
      verdict: toVerdict(row),
      since: row.since,
      waitedMs: Number(row.waited_ms),
      unmetMs: Number(row.unmet_ms),
      lastLookAt: row.last_look_at ?? undefined,
      lastLookError: row.last_look_error ?? undefined,
      nextLookAt: later(row.next_look_at, next_look_at),
    },
  ]
  const stored = new Map(rows.map(of))
  if (!looked_at) return stored
  for (const type of stagesLookedAt(stored, activated_at !== null)) {
    const condition = stored.get(type)
    if (condition) stored.set(type, afterRepeatedLook(condition, looked_at))
  }
  return stored
}

type LookTimes = Pick<Selectable<Tables['domains']>, 'activated_at' | 'looked_at' | 'next_look_at'>

const later = (a: Date | null, b: Date | null): Date | undefined =>
  [a, b].flatMap((date) => date ?? []).toSorted((x, y) => y.getTime() - x.getTime())[0]

function toVerdict({ verdict, reason, message }: ConditionRow): Verdict {
  if (verdict === 'met') return { is: 'met' }
  return { is: verdict as 'waiting', reason: reason ?? '', message: message ?? '' }
}
