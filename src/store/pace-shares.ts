/** The shares of the pace: rows, one for each process that asks others' servers. */
import { sql } from 'kysely'
import type { StoreContext } from './context.ts'

/** `share` may be asked with from now on; `evenly` is what it would be if all had the same. */
export type Renewed = { share: number; evenly: number }

/**
 * Keeps the share that the process uses for as long again, and adds what is free up to an even share. What
 * it uses already is never taken away: it is to use less first, and says so the next time. So all shares
 * together are at no time more than the whole.
 */
export async function renewShare(
  { db }: StoreContext,
  process: string,
  inUse: number,
  leaseMs: number,
): Promise<Renewed> {
  return db.transaction().execute(async (tx) => {
    await sql`lock table pace_shares in share row exclusive mode`.execute(tx)
    await sql`delete from pace_shares where until <= now() and process <> ${process}`.execute(tx)
    const { rows } = await sql<Renewed>`
      with others as (
        select coalesce(sum(share), 0) as taken, 1.0::float8 / (count(*) + 1) as evenly
          from pace_shares where process <> ${process}),
      mine as (
        insert into pace_shares (process, share, until)
        select ${process}, greatest(${inUse}, least(evenly, 1 - taken), 0),
               now() + ${leaseMs} * interval '1 ms'
          from others
        on conflict (process) do update set share = excluded.share, until = excluded.until
        returning share)
      select mine.share, others.evenly from mine, others`.execute(tx)
    return rows[0]!
  })
}

/** The process asks no more. */
export async function giveShareUp({ db }: StoreContext, process: string): Promise<void> {
  await db.deleteFrom('pace_shares').where('process', '=', process).execute()
}
