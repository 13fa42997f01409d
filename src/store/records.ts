import type { OwnedRecord, RecordBook } from '#domains/ports.ts'
import type { Purpose } from '#drivers/records.ts'
import type { RRsetType } from '#drivers/zone/contract.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'

/** The records of a domain that are ours. What is seen unchanged is not written again. */
export function recordBook({ db }: StoreContext): RecordBook {
  return {
    async list({ id }) {
      const rows = await db
        .selectFrom('records')
        .selectAll()
        .where('domain_id', '=', id)
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
    },
    async replace(domain, records) {
      const before = await this.list(domain)
      if (inOrder(before) === inOrder(records)) return
      await db.transaction().execute(async (tx) => {
        for (const gone of before.filter((old) => !records.some((record) => isSame(old, record)))) {
          await tx
            .deleteFrom('records')
            .where('domain_id', '=', domain.id)
            .where('name', '=', gone.name)
            .where('type', '=', gone.type)
            .where('value', '=', gone.value)
            .execute()
        }
        for (const record of records) {
          const seen = {
            ttl: record.ttl,
            purpose: record.purpose,
            status: record.status,
            observed: [...record.observed],
            last_checked_at: new Date(),
          }
          await tx
            .insertInto('records')
            .values({
              id: newId(),
              domain_id: domain.id,
              name: record.name,
              type: record.type,
              value: record.value,
              ...seen,
            })
            .onConflict((c) => c.columns(['domain_id', 'name', 'type', 'value']).doUpdateSet(seen))
            .execute()
        }
      })
    },
  }
}

/** What was asked for later may stand before what was there: the order says nothing. */
const inOrder = (records: readonly OwnedRecord[]): string =>
  JSON.stringify(records.map((record) => JSON.stringify(record)).toSorted())

const isSame = (a: OwnedRecord, b: OwnedRecord): boolean =>
  a.name === b.name && a.type === b.type && a.value === b.value
