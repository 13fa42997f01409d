/** Shares of the query rate: a row for each process that queries others' servers. */
import { sql } from 'kysely'
import type { StoreContext } from './context.ts'

/** `share`: what the process may use from now on; `evenly`: an equal part for each. */
export type Renewed = { share: number; evenly: number }

/**
 * Renews the share that the process uses, and adds free capacity up to an even share. Never takes away what
 * is in use: the process first uses less, and reports it the next time. So the shares together never exceed
 * the whole.
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

/** The process stops asking. */
export async function releaseShare({ db }: StoreContext, process: string): Promise<void> {
  await db.deleteFrom('pace_shares').where('process', '=', process).execute()
}
