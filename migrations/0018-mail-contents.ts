import { type Kysely, sql } from 'kysely'

/**
 * The octets of a message stand once, compressed and apart from the rows that are listed. Conversations are
 * named by a hash, and know what was found out about their last message. Mail of the operator has no claim.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      create table message_contents (
        id uuid primary key,
        encoding text not null check (encoding in ('identity', 'zstd')),
        octets bigint not null,
        content bytea not null,
        created_at timestamptz not null default now()
      );
      alter table message_contents alter column content set storage external;

      insert into message_contents (id, encoding, octets, content)
        select id, 'identity', length(raw), raw from messages;
      alter table messages
        add column content_id uuid references message_contents,
        add column trace text not null default '',
        alter column claim_id drop not null;
      update messages set content_id = id;
      alter table messages
        alter column content_id set not null,
        drop column raw;
      create index messages_of_a_content on messages (content_id);

      alter table threads add column last_authentication jsonb;
      update threads set thread_key = translate(rtrim(replace(encode(
        sha256(convert_to(lead_email || e'\\n\\n' || thread_key, 'UTF8')), 'base64'), e'\\n', ''), '='), '+/', '-_');
    `)
    .execute(db)
}
