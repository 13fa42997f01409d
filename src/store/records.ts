import { sql } from 'kysely'
import type { OwnedRecord, OwnedRecordStore } from '#domains/ports.ts'
import type { Domain } from '#domains/types.ts'
import type { Purpose } from '#drivers/records.ts'
import type { RRsetType } from '#drivers/zone/contract.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import { PassCache } from './pass-cache.ts'

/** Reads and writes our records of a domain, for one pass. Writes only changes. */
export function ownedRecordStore({ db }: StoreContext): OwnedRecordStore {
  const known = new PassCache<readonly OwnedRecord[]>()
  const list = ({ id }: Domain) => known.get(id, () => listRecords(db, id))
  return {
    list,
    async replace(domain, records) {
      const before = await list(domain)
      if (inOrder(before) === inOrder(records)) return
      await known.writing(domain.id, () => replaceRecords(db, domain.id, records))
    },
  }
}

async function listRecords(db: Queryable, domainId: string): Promise<OwnedRecord[]> {
  const rows = await db
    .selectFrom('records')
    .selectAll()
    .where('domain_id', '=', domainId)
    .orderBy('id')
    .execute()
  return rows.map((row) => ({
    name: row.name,
    type: row.type as RRsetType,
    value: row.value,
    ttl: row.ttl,
    purpose: row.purpose as Purpose,
    status: row.status as OwnedRecord['status'],
    observed: row.observed,
  }))
}

/** Writes all records in one statement, in one order, so that two writers do not deadlock. */
async function replaceRecords(
  db: Queryable,
  domainId: string,
  records: readonly OwnedRecord[],
): Promise<void> {
  const rows = records.map((record) => ({ ...record, id: newId() }))
  await sql`
    with wanted as (
      select * from jsonb_populate_recordset(null::records, ${JSON.stringify(rows)})
    ), gone as (
      delete from records r where r.domain_id = ${domainId} and not exists (
        select from wanted w where w.name = r.name and w.type = r.type and w.value = r.value))
    insert into records (id, domain_id, name, type, value, ttl, purpose, status, observed, last_checked_at)
    select id, ${domainId}, name, type, value, ttl, purpose, status, observed, now()
      from wanted order by id
    on conflict (domain_id, name, type, value) do update
       set ttl = excluded.ttl, purpose = excluded.purpose, status = excluded.status,
           observed = excluded.observed, last_checked_at = excluded.last_checked_at`.execute(db)
}

/** Sorted, as the order of records means nothing. */
const inOrder = (records: readonly OwnedRecord[]): string =>
  JSON.stringify(records.map((record) => JSON.stringify(record)).toSorted())
