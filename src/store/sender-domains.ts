import type { SenderStore } from '#drivers/sender/embedded/driver.ts'
import type { KeptKey } from '#drivers/sender/embedded/rotation.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { addKey, findSigningKey, keyStore, takeKeyPair } from './dkim-keys.ts'
import { ReadOnce } from './read-once.ts'
import type { WorldName } from './tables.ts'

/** Registrations, their keys and the queue behind the embedded sender, for one pass. */
export function senderStore(context: StoreContext, world: WorldName): SenderStore {
  const { db, doorbell } = context
  const known = new ReadOnce<readonly KeptKey[]>()
  const keys = keyStore(context, known)
  return {
    keys,
    async register(claim) {
      const { claimId, name } = claim
      const kept = await keys.list(claimId)
      if (kept.length > 0) return kept
      const pair = await takeKeyPair(context)
      const registering = db.transaction()
      await known.writing(claimId, () =>
        registering.execute(async (tx) => {
          const { numInsertedOrUpdatedRows } = await tx
            .insertInto('sender_domains')
            .values({ claim_id: claimId, name })
            .onConflict((c) => c.doNothing())
            .executeTakeFirstOrThrow()
          if (!numInsertedOrUpdatedRows) return // Somebody else has just done it.
          const first = { state: 'signing', since: new Date(), occasion: 'routine' } as const
          await addKey(context, tx, claim, pair, first)
        }),
      )
      return keys.list(claimId)
    },
    find: (claimId) => findSigningKey(context, claimId),
    async remove(claimId) {
      const removing = db.transaction()
      await known.writing(claimId, () =>
        removing.execute(async (tx) => {
          await tx.deleteFrom('sender_domains').where('claim_id', '=', claimId).execute()
          await tx.deleteFrom('deliveries').where('claim_id', '=', claimId).execute()
        }),
      )
    },
    async enqueue({ claimId, envelopeSender, recipient, raw }) {
      const isRegistered = await db.transaction().execute(async (tx) => {
        // Held, so that what is queued is also what a removal takes away.
        const domain = await tx
          .selectFrom('sender_domains')
          .select('claim_id')
          .where('claim_id', '=', claimId)
          .forKeyShare()
          .executeTakeFirst()
        if (domain === undefined) return false
        const message = { envelope_sender: envelopeSender, recipient, raw }
        await tx
          .insertInto('deliveries')
          .values({ id: newId(), claim_id: claimId, world, ...message })
          .execute()
        return true
      })
      if (isRegistered) doorbell.ring(TOPICS.deliveriesDue)
      return isRegistered
    },
  }
}
