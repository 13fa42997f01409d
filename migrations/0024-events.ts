import { type Kysely, sql } from 'kysely'

/**
 * Events of a workspace in one order, and events that are of no domain. An older process goes on writing events
 * without a world: those stand in the timeline of their domain, and not in the feed.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      alter table events add column world text, add column position bigint, alter column domain_id drop not null;
      update events e set world = d.world from domains d where d.id = e.domain_id;
      create index events_to_number on events (workspace_id, world, at, id) where position is null;
      create unique index events_in_order on events (workspace_id, world, position) where position is not null;
      create index events_by_age on events (at);
      create table event_feeds (
        workspace_id uuid not null references workspaces,
        world text not null,
        last bigint not null default 0,
        primary key (workspace_id, world)
      );
    `)
    .execute(db)
}
