/** Recent requests of each API key and workspace, counted here so that all processes count together. */
import { type RawBuilder, sql } from 'kysely'
import type { ApiKey } from './api-keys.ts'
import type { StoreContext } from './context.ts'

/** Requests per minute and per hour; 0: no limit. */
export type RequestLimits = { perMinute: number; perHour: number }

/** For each key, and for all keys of a workspace in one world together. */
export type RateLimits = { key: RequestLimits; workspace: RequestLimits }

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

export const isLimited = ({ perMinute, perHour }: RequestLimits): boolean =>
  perMinute > 0 || perHour > 0

/**
 * Counts a request unless a limit refuses it, and returns the windows; for a refused request, those that
 * refuse it. A window begins with the first request after the end of the former. A refused request counts
 * nowhere: a key that retries in vain for a minute uses up neither its hour nor its workspace's limit.
 */
export async function countRequest(
  store: StoreContext,
  key: ApiKey,
  limits: RateLimits,
): Promise<{ letIn: boolean; windows: RequestWindow[] }> {
  const [ofKey, ofWorkspace] = await countBoth(store, key, limits)
  const keyWindows = windowsOf(limits.key, ofKey)
  if (!ofWorkspace) return { letIn: ofKey.let_in, windows: keyWindows }
  const workspaceWindows = windowsOf(limits.workspace, ofWorkspace)
  if (ofWorkspace.let_in) return { letIn: true, windows: [...keyWindows, ...workspaceWindows] }
  await takeBack(store, key)
  return { letIn: false, windows: workspaceWindows }
}

/** The key first: if it is refused, the workspace is not counted, and has no second row. */
async function countBoth(
  { db }: StoreContext,
  { keyId, workspaceId, world }: ApiKey,
  limits: RateLimits,
): Promise<readonly [Counted, Counted | undefined]> {
  const { rows } = await sql<Counted>`
    with k as (
      insert into request_counts as r values (${keyId}, now(), 1, now(), 1, true)
      on conflict (key_id) do update ${countingUp(limits.key)}
      returning r.*),
    w as (
      insert into workspace_request_counts as r
      select ${workspaceId}::uuid, ${world}::text, now(), 1, now(), 1, true
        from k where k.let_in and ${isLimited(limits.workspace)}
      on conflict (workspace_id, world) do update ${countingUp(limits.workspace)}
      returning r.*)
    select 0 as place, ${COUNTED} from k union all select 1, ${COUNTED} from w
     order by place`.execute(db)
  return [rows[0]!, rows[1]]
}

/** Adds the request to both windows of a row, or begins those that have ended, unless one of them is full. */
const countingUp = ({ perMinute, perHour }: RequestLimits): RawBuilder<unknown> => sql`
  set (minute_began, minute_count, hour_began, hour_count, let_in) = (
    select minute_began, minutes + has_room::int, hour_began, hours + has_room::int, has_room
      from (select *, (${perMinute}::int = 0 or minutes < ${perMinute}::int)
                  and (${perHour}::int = 0 or hours < ${perHour}::int) as has_room
              from (select case when in_minute then r.minute_began else now() end as minute_began,
                           case when in_minute then r.minute_count else 0 end as minutes,
                           case when in_hour then r.hour_began else now() end as hour_began,
                           case when in_hour then r.hour_count else 0 end as hours
                      from (select r.minute_began > now() - interval '1 minute' as in_minute,
                                   r.hour_began > now() - interval '1 hour' as in_hour) i) w) d)`

const COUNTED = sql`let_in, minute_count, hour_count,
  ceil(extract(epoch from minute_began + interval '1 minute'))::float8 as minute_ends,
  ceil(extract(epoch from minute_began + interval '1 minute' - now()))::int as minute_left,
  ceil(extract(epoch from hour_began + interval '1 hour'))::float8 as hour_ends,
  ceil(extract(epoch from hour_began + interval '1 hour' - now()))::int as hour_left`

/** For a request that the key's limit allows and the workspace's refuses. */
async function takeBack({ db }: StoreContext, { keyId }: ApiKey): Promise<void> {
  await sql`
    update request_counts
       set minute_count = greatest(minute_count - 1, 0), hour_count = greatest(hour_count - 1, 0)
     where key_id = ${keyId}`.execute(db)
}

function windowsOf({ perMinute, perHour }: RequestLimits, row: Counted): RequestWindow[] {
  const windows = [
    windowOf(perMinute, row.minute_count, row.minute_ends, row.minute_left),
    windowOf(perHour, row.hour_count, row.hour_ends, row.hour_left),
  ]
  return windows.filter(({ limit }) => limit > 0)
}

function windowOf(limit: number, count: number, resetAt: number, leftS: number): RequestWindow {
  return { limit, remaining: Math.max(0, limit - count), resetAt, endsInS: Math.max(1, leftS) }
}

/** Deletes keys and workspaces whose windows have all ended. */
export async function dropOldCounts({ db }: StoreContext): Promise<void> {
  for (const table of ['request_counts', 'workspace_request_counts'] as const)
    await sql`delete from ${sql.table(table)} where hour_began <= now() - interval '1 hour'`.execute(
      db,
    )
}
