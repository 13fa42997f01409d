import { type Kysely, sql } from 'kysely'

/** When a domain failed is kept: the looks that go on would tell a later time. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
alter table domains add column failed_at timestamptz;
update domains d set failed_at = coalesce(
    (select max(at) from events e where e.domain_id = d.id and e.type = 'domain.failed'), now())
 where status = 'FAILED';
alter table conditions drop column stalled_since;
`
