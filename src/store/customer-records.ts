import {
  type ExpressionBuilder,
  type Selectable,
  sql,
  type UpdateQueryBuilder,
  type UpdateResult,
} from 'kysely'
import type { CustomerRecord } from '#domains/customer-records.ts'
import type { CustomerRecordStore } from '#domains/ports.ts'
import type { RRsetType } from '#drivers/zone/contract.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { type Queryable, violates } from './database.ts'
import { wakeDomain } from './due-tables.ts'
import type { Tables } from './tables.ts'

export type CustomerRecordRow = Selectable<Tables['customer_records']>

/** The customer's own records, for one pass. */
export function customerRecordStore({ db }: StoreContext): CustomerRecordStore {
  return {
    async list({ id, hasOwnRecords }) {
      if (!hasOwnRecords) return { wanted: [], unwanted: [] }
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
    async keepImported({ id }, records, { state, note }) {
      const done = { import_state: state, import_note: note }
      const write = async (tx: Queryable) => {
        await insertRecords(tx, id, records, 'imported')
        await tx.updateTable('domains').set(done).where('id', '=', id).execute()
      }
      // Most new names serve nothing elsewhere.
      await (records.length === 0 ? write(db) : db.transaction().execute(write))
    },
    async drop({ id }, records) {
      for (const record of records) {
        await db
          .updateTable('customer_records')
          .set({ removed_at: sql`now()` })
          .where(isOne(id, record))
          .where('removed_at', 'is', null)
          .execute()
      }
    },
    async forget({ id }, records) {
      for (const record of records) {
        await db
          .deleteFrom('customer_records')
          .where(isOne(id, record))
          .where('removed_at', 'is not', null)
          .execute()
      }
    },
  }
}

/** The rows of one value of a domain: the present one and the removed ones. */
const isOne =
  (domain_id: string, { name, type, value }: CustomerRecord) =>
  (is: ExpressionBuilder<Tables, 'customer_records'>) =>
    is.and({ domain_id, name, type, value })

const toRecord = ({ name, type, value, ttl }: CustomerRecordRow): CustomerRecord => ({
  name,
  type: type as RRsetType,
  value,
  ttl,
})

/** Skips records that exist. Returns the new ones. */
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

export function listCustomerRecords(db: Queryable, domainId: string) {
  return db
    .selectFrom('customer_records')
    .selectAll()
    .where('domain_id', '=', domainId)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute()
}

/** Checks a locked domain; throws why a change is not possible. */
export type Check = (held: Queryable) => Promise<void>

/** Locks the domain, changes its records, and wakes it. Undefined when the domain is gone. */
async function changing<T>(
  context: StoreContext,
  domainId: string,
  change: (tx: Queryable) => Promise<T>,
): Promise<T | undefined> {
  const changed = await context.db.transaction().execute(async (tx) => {
    const held = await tx
      .selectFrom('domains')
      .select('id')
      .where('id', '=', domainId)
      .where('removal_requested_at', 'is', null)
      .forNoKeyUpdate()
      .executeTakeFirst()
    if (!held) return undefined
    const result = await change(tx)
    await wakeDomain(tx, domainId)
    return result
  })
  context.doorbell.ring(TOPICS.domainsDue)
  return changed
}

/** The new row; undefined when it exists already, or the domain is gone. */
export function addCustomerRecord(
  context: StoreContext,
  domainId: string,
  record: CustomerRecord,
  check: Check,
): Promise<CustomerRecordRow | undefined> {
  return changing(context, domainId, async (tx) => {
    await check(tx)
    const [row] = await insertRecords(tx, domainId, [record], 'added')
    return row
  })
}

/**
 * Adds records from an uploaded file; skips existing ones. Returns the new ones; undefined when the domain is
 * gone. `plan` sees the locked domain.
 */
export function addImportedRecords(
  context: StoreContext,
  domainId: string,
  plan: (held: Queryable) => Promise<readonly CustomerRecord[]>,
): Promise<CustomerRecordRow[] | undefined> {
  return changing(context, domainId, async (tx) => {
    const added = await insertRecords(tx, domainId, await plan(tx), 'imported')
    await tx
      .updateTable('domains')
      .set({ import_state: 'done', import_note: '' })
      .where('id', '=', domainId)
      .execute()
    return added
  })
}

/** Changes value and TTL of a record; the next pass removes the old value. `gone`: it changed meanwhile. */
export async function changeCustomerRecord(
  context: StoreContext,
  row: CustomerRecordRow,
  change: { value: string; ttl: number },
  check: Check,
): Promise<'changed' | 'exists' | 'gone'> {
  try {
    const result = await changing(context, row.domain_id, async (tx) => {
      await check(tx)
      // A changed value is not what the import found.
      const origin = change.value === row.value ? row.origin : 'added'
      const { numUpdatedRows } = await asItWas(tx.updateTable('customer_records'), row)
        .set({ ...change, origin })
        .executeTakeFirst()
      if (numUpdatedRows === 0n) return 'gone'
      if (change.value !== row.value) await leaveTombstone(tx, row)
      return 'changed'
    })
    return result ?? 'gone'
  } catch (error) {
    if (violates(error, 'customer_records_one_a_value')) return 'exists'
    throw error
  }
}

/** False when it was gone already. */
export async function removeCustomerRecord(
  context: StoreContext,
  row: CustomerRecordRow,
): Promise<boolean> {
  const removed = await changing(context, row.domain_id, (tx) =>
    asItWas(tx.updateTable('customer_records'), row)
      .set({ removed_at: sql`now()` })
      .executeTakeFirst(),
  )
  return removed !== undefined && removed.numUpdatedRows > 0n
}

type Updating = UpdateQueryBuilder<Tables, 'customer_records', 'customer_records', UpdateResult>

/** Matches the record only if it is unchanged since the read. */
const asItWas = (update: Updating, { id, value }: CustomerRecordRow): Updating =>
  update.where('id', '=', id).where('value', '=', value).where('removed_at', 'is', null)

/** A pass then knows which value to remove from the zone. */
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

/** Allows mail that goes elsewhere to be taken over; drops the unwanted records. */
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
    await wakeDomain(tx, domainId)
  })
  context.doorbell.ring(TOPICS.domainsDue)
}
