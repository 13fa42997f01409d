/** How often each API key has asked of late: counted here, so that all processes count together. */
import { sql } from 'kysely'
import type { StoreContext } from './context.ts'

/** Requests let in a minute and an hour; 0 for as many as there are. */
export type RequestLimits = { perMinute: number; perHour: number }

export type RequestWindow = {
  limit: number
  remaining: number
  /** When it ends, in seconds since 1970, and in how many seconds that is. */
  resetAt: number
  endsInS: number
}

type Counted = {
  let_in: boolean
  minute_count: number
  minute_ends: number
  minute_left: number
  hour_count: number
  hour_ends: number
  hour_left: number
}

/**
 * Counts a request, unless one of the limits refuses it, and gives the windows as they are then. A window
 * begins with the first request after the end of the former. A request that is refused counts nowhere:
 * who keeps asking for a minute in vain has not used up the hour.
 */
export async function countRequest(
  { db }: StoreContext,
  keyId: string,
  { perMinute, perHour }: RequestLimits,
): Promise<{ letIn: boolean; windows: RequestWindow[] }> {
  const counted = await sql<Counted>`
    insert into request_counts as r values (${keyId}, now(), 1, now(), 1, true)
    on conflict (key_id) do update
      set (minute_began, minute_count, hour_began, hour_count, let_in) = (
        select minute_began, minutes + has_room::int, hour_began, hours + has_room::int, has_room
          from (select *, (${perMinute}::int = 0 or minutes < ${perMinute}::int)
                      and (${perHour}::int = 0 or hours < ${perHour}::int) as has_room
                  from (select case when in_minute then r.minute_began else now() end as minute_began,
                               case when in_minute then r.minute_count else 0 end as minutes,
                               case when in_hour then r.hour_began else now() end as hour_began,
                               case when in_hour then r.hour_count else 0 end as hours
                          from (select r.minute_began > now() - interval '1 minute' as in_minute,
                                       r.hour_began > now() - interval '1 hour' as in_hour) i) w) d)
    returning let_in, minute_count, hour_count,
      ceil(extract(epoch from minute_began + interval '1 minute'))::float8 as minute_ends,
      ceil(extract(epoch from minute_began + interval '1 minute' - now()))::int as minute_left,
      ceil(extract(epoch from hour_began + interval '1 hour'))::float8 as hour_ends,
      ceil(extract(epoch from hour_began + interval '1 hour' - now()))::int as hour_left`.execute(
    db,
  )
  const row = counted.rows[0]!
  const windows = [
    windowOf(perMinute, row.minute_count, row.minute_ends, row.minute_left),
    windowOf(perHour, row.hour_count, row.hour_ends, row.hour_left),
  ]
  return { letIn: row.let_in, windows: windows.filter(({ limit }) => limit > 0) }
}

function windowOf(limit: number, count: number, resetAt: number, leftS: number): RequestWindow {
  return { limit, remaining: Math.max(0, limit - count), resetAt, endsInS: Math.max(1, leftS) }
}

/** Forgets the keys whose windows have all ended. */
export async function dropOldCounts({ db }: StoreContext): Promise<void> {
  await sql`delete from request_counts where hour_began <= now() - interval '1 hour'`.execute(db)
}
