import { type Kysely, sql } from 'kysely'

/**
 * One row for each message that was accepted to be sent, whichever service sends it, and one for each
 * attempt. The octets stand in `message_contents` until the message has ended.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      alter table deliveries rename to outgoing_messages;
      alter table outgoing_messages rename constraint deliveries_pkey to outgoing_messages_pkey;
      alter table outgoing_messages
        add column workspace_id uuid references workspaces,
        add column inbox_id uuid,
        add column origin text not null default 'test',
        add column account text not null default 'embedded',
        add column message_id text not null default '',
        add column recipient_domain text not null default '',
        add column content_id uuid references message_contents;

      insert into message_contents (id, encoding, octets, content)
        select id, 'identity', length(raw), raw from outgoing_messages where state = 'queued';
      update outgoing_messages m set
        content_id = case when state = 'queued' then m.id end,
        workspace_id = (select c.workspace_id from claims c where c.id = m.claim_id),
        recipient_domain = lower(split_part(recipient, '@', 2)),
        state = case state when 'delivered' then 'sent' else state end;
      delete from outgoing_messages where workspace_id is null;
      alter table outgoing_messages
        drop column raw,
        alter column workspace_id set not null,
        alter column origin drop default,
        alter column account drop default,
        alter column recipient_domain drop default,
        add check (state in ('queued', 'sent', 'deferred', 'delivered', 'bounced', 'complained', 'failed',
                             'cancelled', 'unknown'));

      drop index deliveries_due;
      drop index deliveries_fresh;
      alter index deliveries_by_end rename to outgoing_messages_by_end;
      alter index deliveries_of_a_claim rename to outgoing_messages_of_a_claim;
      create index outgoing_messages_due on outgoing_messages (next_at) where finished_at is null;
      create index outgoing_messages_in_turn on outgoing_messages (workspace_id, next_at) where finished_at is null;
      create index outgoing_messages_newest on outgoing_messages (workspace_id, world, created_at desc, id desc);
      create index outgoing_messages_of_an_inbox on outgoing_messages (inbox_id, created_at desc);
      create index outgoing_messages_of_a_content on outgoing_messages (content_id);

      create table attempts (
        outgoing_message_id uuid not null references outgoing_messages on delete cascade,
        number int not null,
        at timestamptz not null default now(),
        host text not null,
        outcome text not null,
        reply text not null,
        conversation text,
        primary key (outgoing_message_id, number)
      );
    `)
    .execute(db)
}
