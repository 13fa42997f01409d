import type { Notes } from '#drivers/kind.ts'
import type { StoreContext } from './context.ts'

/** What one account's driver notes about claims. */
export function driverNotes({ db }: StoreContext, account: string): Notes {
  return {
    async read(claimId, key) {
      const row = await db
        .selectFrom('driver_notes')
        .select('value')
        .where('account', '=', account)
        .where('claim_id', '=', claimId)
        .where('key', '=', key)
        .executeTakeFirst()
      return row?.value
    },
    async write(claimId, key, value) {
      await db
        .insertInto('driver_notes')
        .values({ account, claim_id: claimId, key, value })
        .onConflict((c) => c.columns(['account', 'claim_id', 'key']).doUpdateSet({ value }))
        .execute()
    },
    async keys(claimId) {
      const rows = await db
        .selectFrom('driver_notes')
        .select('key')
        .where('account', '=', account)
        .where('claim_id', '=', claimId)
        .execute()
      return rows.map(({ key }) => key)
    },
    async drop(claimId, keys) {
      await db
        .deleteFrom('driver_notes')
        .where('account', '=', account)
        .where('claim_id', '=', claimId)
        .where('key', 'in', keys)
        .execute()
    },
    async forget(claimId) {
      await db
        .deleteFrom('driver_notes')
        .where('account', '=', account)
        .where('claim_id', '=', claimId)
        .execute()
      await db
        .deleteFrom('handed_over')
        .where('account', '=', account)
        .where('claim_id', '=', claimId)
        .execute()
    },
    async handedOver(claimId, operationId, recipient) {
      await db
        .insertInto('handed_over')
        .values({ account, operation_id: operationId, claim_id: claimId, recipient })
        .onConflict((c) =>
          c.columns(['account', 'operation_id', 'recipient']).doUpdateSet({ claim_id: claimId }),
        )
        .execute()
    },
  }
}
