/**
 * The rows of the catalog zone. One process writes at a time, under a lease that it renews. Members and
 * changes are written in one transaction with the serial.
 */
import { randomUUID } from 'node:crypto'
import { sql, type Transaction } from 'kysely'
import type { CatalogChange, CatalogStore } from '#servers/dns/transfer/source.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { Database } from './database.ts'
import type { Tables } from './tables.ts'

/** After this, another process takes over from a silent writer. */
const HELD_S = 10

/**
 * `apex` is absolute and lowercase; another apex is another catalog, which begins empty. Keeps the latest
 * `kept` changes.
 */
export function catalogStore(
  { db, doorbell }: StoreContext,
  apex: string,
  kept: number,
): CatalogStore {
  const writer = randomUUID()
  return {
    read: () => readCatalog(db, apex),
    since: (serial) => changesSince(db, apex, serial),
    async write(serial, changes) {
      const isWritten = await db
        .transaction()
        .execute((tx) => writeCatalog(tx, { apex, writer, serial, changes, kept }))
      if (isWritten && changes.length > 0) doorbell.ring(TOPICS.catalog)
      return isWritten
    },
    async release() {
      await db
        .updateTable('catalogs')
        .set({ writer: null, until: null })
        .where('apex', '=', apex)
        .where('writer', '=', writer)
        .execute()
    },
    onChange: (heard) => doorbell.on(TOPICS.catalog, heard),
  }
}

async function readCatalog(db: Database, apex: string): ReturnType<CatalogStore['read']> {
  await sql`insert into catalogs (apex) values (${apex}) on conflict do nothing`.execute(db)
  // One snapshot for all three.
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      const { serial } = await tx
        .selectFrom('catalogs')
        .select('serial')
        .where('apex', '=', apex)
        .executeTakeFirstOrThrow()
      const members = await tx
        .selectFrom('catalog_members')
        .select(['name', 'member_id'])
        .where('catalog', '=', apex)
        .execute()
      const latest = await changes(tx, apex, '0')
      const pairs = members.map(({ name, member_id }) => [name, member_id] as const)
      return { serial: Number(serial), members: pairs, latest }
    })
}

/** Undefined when the first change is deleted, or we never had the serial. */
async function changesSince(
  db: Database,
  apex: string,
  serial: number,
): ReturnType<CatalogStore['since']> {
  const { rows } = await sql<{ now: string; oldest: string | null }>`
    select c.serial as now,
           (select min(serial) from catalog_changes where catalog = ${apex}) as oldest
      from catalogs c where c.apex = ${apex}`.execute(db)
  const [now, oldest] = [Number(rows[0]?.now ?? 0), Number(rows[0]?.oldest ?? 0)]
  if (now === serial) return []
  if (now < serial || oldest > serial + 1) return undefined
  return changes(db, apex, String(serial))
}

async function changes(
  db: Database | Transaction<Tables>,
  apex: string,
  after: string,
): Promise<CatalogChange[]> {
  const rows = await db
    .selectFrom('catalog_changes')
    .select(['name', 'member_id', 'is_added'])
    .where('catalog', '=', apex)
    .where('serial', '>', after)
    .orderBy('serial')
    .execute()
  return rows.map(({ name, member_id, is_added }) => ({
    name,
    memberId: member_id,
    isAdded: is_added,
  }))
}

type Writing = {
  apex: string
  writer: string
  serial: number
  changes: readonly CatalogChange[]
  kept: number
}

async function writeCatalog(
  tx: Transaction<Tables>,
  { apex, writer, serial, changes, kept }: Writing,
): Promise<boolean> {
  const { numAffectedRows } = await sql`
    update catalogs set serial = serial + ${changes.length}, writer = ${writer},
           until = now() + make_interval(secs => ${HELD_S})
     where apex = ${apex} and serial = ${serial}
       and (writer = ${writer} or writer is null or until < now())`.execute(tx)
  if (!numAffectedRows) return false
  if (changes.length === 0) return true
  const rows = JSON.stringify(
    changes.map(({ name, memberId, isAdded }, index) => ({
      serial: serial + 1 + index,
      name,
      member_id: memberId,
      is_added: isAdded,
    })),
  )
  await sql`insert into catalog_changes (catalog, serial, name, member_id, is_added)
    select ${apex}, serial, name, member_id, is_added
      from jsonb_to_recordset(${rows}::jsonb)
        as c (serial bigint, name text, member_id text, is_added boolean)`.execute(tx)
  await writeMembers(tx, apex, changes)
  const dropped = serial + changes.length - kept
  await sql`delete from catalog_changes where catalog = ${apex} and serial <= ${dropped}`.execute(
    tx,
  )
  return true
}

/** For a name that changes twice, the last change counts. */
async function writeMembers(
  tx: Transaction<Tables>,
  apex: string,
  changes: readonly CatalogChange[],
): Promise<void> {
  const last = [...new Map(changes.map((change) => [change.name, change])).values()]
  const removed = last.filter(({ isAdded }) => !isAdded).map(({ name }) => name)
  const added = last.filter(({ isAdded }) => isAdded)
  await sql`delete from catalog_members where catalog = ${apex} and name = any(${removed})`.execute(
    tx,
  )
  await sql`insert into catalog_members (catalog, name, member_id)
    select ${apex}, name, member_id from unnest(
      ${added.map(({ name }) => name)}::text[], ${added.map(({ memberId }) => memberId)}::text[])
      as m (name, member_id)
    on conflict (catalog, name) do update set member_id = excluded.member_id`.execute(tx)
}
