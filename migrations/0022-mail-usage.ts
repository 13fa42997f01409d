import { type Kysely, sql } from 'kysely'

/** How many octets of mail each inbox holds, counted as they come and go. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      create table mail_usage (
        claim_id uuid not null,
        localpart text not null,
        octets bigint not null,
        primary key (claim_id, localpart)
      );
      insert into mail_usage (claim_id, localpart, octets)
        select m.claim_id, m.localpart, sum(c.octets) from messages m join message_contents c on c.id = m.content_id
         where m.claim_id is not null group by 1, 2;
      create index claims_of_a_workspace on claims (workspace_id);
    `)
    .execute(db)
}
