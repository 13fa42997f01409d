import type { OwnedRecord, RecordBook } from '#domains/ports.ts'
import type { Domain } from '#domains/types.ts'
import type { Purpose } from '#drivers/records.ts'
import type { RRsetType } from '#drivers/zone/contract.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import { ReadOnce } from './read-once.ts'

/** The records of a domain that are ours, for one pass. What is seen unchanged is not written again. */
export function recordBook({ db }: StoreContext): RecordBook {
  const known = new ReadOnce<readonly OwnedRecord[]>()
  const list = ({ id }: Domain) => known.get(id, () => listRecords(db, id))
  return {
    list,
    async replace(domain, records) {
      const before = await list(domain)
      if (inOrder(before) === inOrder(records)) return
      await known.writing(domain.id, () =>
        db.transaction().execute((tx) => replaceRecords(tx, domain.id, before, records)),
      )
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

async function replaceRecords(
  tx: Queryable,
  domainId: string,
  before: readonly OwnedRecord[],
  records: readonly OwnedRecord[],
): Promise<void> {
  for (const gone of before.filter((old) => !records.some((record) => isSame(old, record)))) {
    await tx
      .deleteFrom('records')
      .where('domain_id', '=', domainId)
      .where('name', '=', gone.name)
      .where('type', '=', gone.type)
      .where('value', '=', gone.value)
      .execute()
  }
  for (const record of records) {
    const { name, type, value, observed, ...about } = record
    const seen = { ...about, observed: [...observed], last_checked_at: new Date() }
    await tx
      .insertInto('records')
      .values({ id: newId(), domain_id: domainId, name, type, value, ...seen })
      .onConflict((c) => c.columns(['domain_id', 'name', 'type', 'value']).doUpdateSet(seen))
      .execute()
  }
}

/** What was asked for later may stand before what was there: the order says nothing. */
const inOrder = (records: readonly OwnedRecord[]): string =>
  JSON.stringify(records.map((record) => JSON.stringify(record)).toSorted())

const isSame = (a: OwnedRecord, b: OwnedRecord): boolean =>
  a.name === b.name && a.type === b.type && a.value === b.value
