import { type Selectable, sql } from 'kysely'
import type { CustomerRecord } from '#domains/customer-records.ts'
import type { CustomerBook } from '#domains/ports.ts'
import type { RRsetType } from '#drivers/zone/contract.ts'
import { wakeRow } from '#engine/due-rows.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { type Queryable, violates } from './database.ts'
import type { Tables } from './tables.ts'

export type CustomerRecordRow = Selectable<Tables['customer_records']>

/** What a pass knows of the customer's own records. */
export function customerBook({ db }: StoreContext): CustomerBook {
  return {
    async list({ id }) {
      const rows = await db
        .selectFrom('customer_records')
        .selectAll()
        .where('domain_id', '=', id)
        .orderBy('id')
        .execute()
      const of = (isGone: boolean) =>
        rows.filter(({ removed_at }) => (removed_at !== null) === isGone).map(toRecord)
      return { wanted: of(false), unwanted: of(true) }
    },
    async keepImported({ id }, records, isComplete) {
      const import_state = isComplete ? ('done' as const) : ('incomplete' as const)
      await db.transaction().execute(async (tx) => {
        await insertRecords(tx, id, records, 'imported')
        await tx.updateTable('domains').set({ import_state }).where('id', '=', id).execute()
      })
    },
    async drop({ id }, records) {
      for (const { name, type, value } of records) {
        await db
          .updateTable('customer_records')
          .set({ removed_at: sql`now()` })
          .where('domain_id', '=', id)
          .where('name', '=', name)
          .where('type', '=', type)
          .where('value', '=', value)
          .where('removed_at', 'is', null)
          .execute()
      }
    },
  }
}

const toRecord = ({ name, type, value, ttl }: CustomerRecordRow): CustomerRecord => ({
  name,
  type: type as RRsetType,
  value,
  ttl,
})

/** Those that are there already stay as they are. Gives the new ones. */
export async function insertRecords(
  tx: Queryable,
  domainId: string,
  records: readonly CustomerRecord[],
  origin: CustomerRecordRow['origin'],
): Promise<CustomerRecordRow[]> {
  if (records.length === 0) return []
  const rows = records.map((record) => ({
    id: newId(),
    domain_id: domainId,
    origin,
    removed_at: null,
    ...record,
  }))
  return tx
    .insertInto('customer_records')
    .values(rows)
    .onConflict((c) =>
      c.columns(['domain_id', 'name', 'type', 'value']).where('removed_at', 'is', null).doNothing(),
    )
    .returningAll()
    .execute()
}

export function listCustomerRecords({ db }: StoreContext, domainId: string) {
  return db
    .selectFrom('customer_records')
    .selectAll()
    .where('domain_id', '=', domainId)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute()
}

/** Adds a record and wakes the domain; undefined when it is there already. */
export async function addCustomerRecord(
  context: StoreContext,
  domainId: string,
  record: CustomerRecord,
): Promise<CustomerRecordRow | undefined> {
  const added = await context.db.transaction().execute(async (tx) => {
    const [row] = await insertRecords(tx, domainId, [record], 'added')
    await wakeRow(tx, 'domains', domainId)
    return row
  })
  context.doorbell.ring(TOPICS.domainsDue)
  return added
}

/** Changes value and TTL of a record: the old value goes with the next pass. False when the new one is there already. */
export async function changeCustomerRecord(
  context: StoreContext,
  row: CustomerRecordRow,
  change: { value: string; ttl: number },
): Promise<boolean> {
  try {
    await context.db.transaction().execute(async (tx) => {
      // What was changed was not found like that any more.
      const origin = change.value === row.value ? row.origin : 'added'
      await tx
        .updateTable('customer_records')
        .set({ ...change, origin })
        .where('id', '=', row.id)
        .execute()
      if (change.value !== row.value) await leaveTombstone(tx, row)
      await wakeRow(tx, 'domains', row.domain_id)
    })
  } catch (error) {
    if (violates(error, 'customer_records_one_a_value')) return false
    throw error
  }
  context.doorbell.ring(TOPICS.domainsDue)
  return true
}

/** So that a pass knows which value to take out of the zone. */
async function leaveTombstone(
  tx: Queryable,
  { name, type, value, ttl, ...row }: CustomerRecordRow,
) {
  const { domain_id, origin } = row
  await tx
    .insertInto('customer_records')
    .values({ id: newId(), domain_id, origin, name, type, value, ttl, removed_at: new Date() })
    .execute()
}

export async function removeCustomerRecord(context: StoreContext, row: CustomerRecordRow) {
  await context.db.transaction().execute(async (tx) => {
    await tx
      .updateTable('customer_records')
      .set({ removed_at: sql`now()` })
      .where('id', '=', row.id)
      .execute()
    await wakeRow(tx, 'domains', row.domain_id)
  })
  context.doorbell.ring(TOPICS.domainsDue)
}

/** Mail that goes elsewhere may be taken over from now on; records that are not wanted are dropped. */
export async function decideImport(
  context: StoreContext,
  domainId: string,
  { takeMail, drop }: { takeMail: boolean; drop: readonly string[] },
): Promise<void> {
  await context.db.transaction().execute(async (tx) => {
    if (takeMail) {
      await tx.updateTable('domains').set({ take_mail: true }).where('id', '=', domainId).execute()
    }
    if (drop.length > 0) {
      await tx
        .updateTable('customer_records')
        .set({ removed_at: sql`now()` })
        .where('domain_id', '=', domainId)
        .where('id', 'in', [...drop])
        .execute()
    }
    await wakeRow(tx, 'domains', domainId)
  })
  context.doorbell.ring(TOPICS.domainsDue)
}
