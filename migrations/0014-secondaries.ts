import { type Kysely, sql } from 'kysely'

/**
 * What secondaries need: serials that belong to a name and never go back, serials of the platform's own
 * zones, and the catalog with its latest changes.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
alter table served_names add column serial bigint not null default 1;
update served_names s set serial = z.serial + 1
  from (select name, max(serial) as serial from zones group by name) z where z.name = s.name;
alter table zones drop column serial;

create table platform_zones (
  apex text primary key,
  digest text not null,
  serial bigint not null default 1
);

create table catalogs (
  apex text primary key,
  serial bigint not null default 1,
  writer uuid,
  until timestamptz
);
create table catalog_members (
  catalog text not null,
  name text not null,
  member_id text not null,
  primary key (catalog, name)
);
create table catalog_changes (
  catalog text not null,
  serial bigint not null,
  name text not null,
  member_id text not null,
  is_added boolean not null,
  primary key (catalog, serial)
);
`
