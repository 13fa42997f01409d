/**
 * Takes due rows, so that one worker at a time works on a row. It needs four columns of a table:
 * `next_at`, `lease_until`, `epoch` and `wake`.
 *
 *   next_at      when the row is due
 *   lease_until  until when the worker that took the row may work on it
 *   epoch        raised each time a worker takes the row: fences off the writes of a stale worker
 *   wake         raised to request another look, also while a worker has the row
 *
 * All times are those of the database, because the clocks of processes may differ.
 */
import { type QueryExecutorProvider, type RawBuilder, sql } from 'kysely'

/** `alive` is the predicate of the partial index on `next_at`: the rows that can become due. */
export type DueTable = { name: string; alive: RawBuilder<unknown> }
export type Taken = { id: string; epoch: string; wake: string; failures: number }

/** The rows that this process can work on, as a condition on their columns; by default all. */
export type Mine = RawBuilder<unknown>

/** How long a row stays taken without a renewal: after a crash, other workers wait so long. */
export const LEASE_MS = 6000

/** Another worker took the row meanwhile: this worker must not write its findings. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

/** Takes up to `limit` due rows that no worker has taken before: a person waits for them. */
export const takeFresh = (
  db: QueryExecutorProvider,
  table: DueTable,
  limit: number,
  how: Taking = {},
): Promise<Taken[]> => take(db, table, limit, sql`epoch = 0`, how)

/** Takes up to `limit` due rows, the longest due first. */
export const takeDue = (
  db: QueryExecutorProvider,
  table: DueTable,
  limit: number,
  how: Taking = {},
): Promise<Taken[]> => take(db, table, limit, sql`true`, how)

/** Which rows to take: of `mine`, those that `pick` selects; `underWay`: rows this process has. */
export type Taking = {
  mine?: Mine | undefined
  pick?: Pick | undefined
  underWay?: readonly string[]
}

/**
 * A query for ids of due rows that meet the condition `which`; locks them, and skips locked rows.
 */
export type Pick = (
  limit: number,
  which: RawBuilder<unknown>,
  underWay: readonly string[],
) => RawBuilder<unknown>

const longestDue =
  (table: DueTable): Pick =>
  (limit, which) =>
    sql`
    select id from ${sql.table(table.name)}
     where ${table.alive} and ${which} and next_at <= now() and lease_until <= now()
     order by next_at limit ${limit} for no key update skip locked`

async function take(
  db: QueryExecutorProvider,
  table: DueTable,
  limit: number,
  which: RawBuilder<unknown>,
  { mine = sql`true`, pick = longestDue(table), underWay = [] }: Taking,
): Promise<Taken[]> {
  if (limit <= 0) return []
  const taken = await sql<Taken>`
    update ${sql.table(table.name)} t
       set lease_until = now() + ${LEASE_MS} * interval '1 ms', epoch = t.epoch + 1
      from (${pick(limit, sql`${which} and ${mine}`, underWay)}) due
     where t.id = due.id
    returning t.id, t.epoch, t.wake, t.failures`.execute(db)
  return taken.rows
}

/** Renews leases. Returns the ids of the rows that this worker still has. */
export async function renewLeases(
  db: QueryExecutorProvider,
  table: DueTable,
  taken: readonly Taken[],
): Promise<Set<string>> {
  // Every statement that locks several rows locks them in the order of their ids, to avoid deadlocks.
  const renewed = await sql<{ id: string }>`
    with held as (
      select t.id from ${sql.table(table.name)} t
        join unnest(${taken.map((row) => row.id)}::uuid[], ${taken.map((row) => row.epoch)}::bigint[])
          as taken (id, epoch) on t.id = taken.id and t.epoch = taken.epoch
       where t.lease_until <> '-infinity' order by t.id for no key update of t)
    update ${sql.table(table.name)} t set lease_until = now() + ${LEASE_MS} * interval '1 ms'
      from held where t.id = held.id
    returning t.id`.execute(db)
  return new Set(renewed.rows.map((row) => row.id))
}

/** Values for columns of a row, by their names. */
export type Columns = Readonly<Record<string, Date | boolean>>

/** Gives the row back, due again in `afterMs`, or now if somebody woke it since it was taken. */
export async function finish(
  db: QueryExecutorProvider,
  table: DueTable,
  { id, epoch, wake }: Taken,
  { afterMs, failures, columns = {} }: { afterMs: number; failures: number; columns?: Columns },
): Promise<void> {
  const also = Object.entries(columns).map(([name, value]) => sql`, ${sql.ref(name)} = ${value}`)
  await sql`
    update ${sql.table(table.name)}
       set lease_until = '-infinity', failures = ${failures},
           next_at = case when wake <> ${wake} then now() else now() + ${afterMs} * interval '1 ms' end
           ${sql.join(also, sql``)}
     where id = ${id} and epoch = ${epoch}`.execute(db)
}

/**
 * Makes a row due now, in the caller's transaction. After the commit, the caller rings the
 * doorbell.
 */
export async function wakeRow(
  db: QueryExecutorProvider,
  table: DueTable,
  id: string,
): Promise<void> {
  await sql`
    update ${sql.table(table.name)} set wake = wake + 1, next_at = least(next_at, now())
     where id = ${id}`.execute(db)
}

/** Milliseconds until the next row is due, at most `atMostMs`. */
export async function untilNextDue(
  db: QueryExecutorProvider,
  table: DueTable,
  atMostMs: number,
  mine: Mine = sql`true`,
): Promise<number> {
  const next = await sql<{ ms: number | null }>`
    select extract(epoch from min(greatest(next_at, lease_until)) - now())::float8 * 1000 as ms
      from (select next_at, lease_until from ${sql.table(table.name)}
             where ${table.alive} and ${mine} order by next_at limit 50) soonest`.execute(db)
  return Math.min(Math.max(next.rows[0]?.ms ?? atMostMs, 0), atMostMs)
}
