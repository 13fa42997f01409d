import type { SenderStore } from '#drivers/sender/embedded/driver.ts'
import type { KeptKey } from '#drivers/sender/embedded/rotation.ts'
import { acceptMessage } from './accept-messages.ts'
import type { StoreContext } from './context.ts'
import { addKey, keyStore, takeKeyPair } from './dkim-keys.ts'
import { cancelQueued } from './outgoing-messages.ts'
import { PassCache } from './pass-cache.ts'
import type { SendingLimits } from './reached-limits.ts'
import type { WorldName } from './tables.ts'

/** Registrations, their keys and the queue behind the embedded sender, for one pass. */
export function senderStore(
  context: StoreContext,
  world: WorldName,
  limits: SendingLimits,
): SenderStore {
  const { db } = context
  const known = new PassCache<readonly KeptKey[]>()
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
          if (!numInsertedOrUpdatedRows) return // Another process was first.
          const first = { state: 'signing', since: new Date(), occasion: 'routine' } as const
          await addKey(context, tx, claim, pair, first)
        }),
      )
      return keys.list(claimId)
    },
    async remove(claimId) {
      const removing = db.transaction()
      await known.writing(claimId, () =>
        removing.execute(async (tx) => {
          await tx.deleteFrom('sender_domains').where('claim_id', '=', claimId).execute()
          await cancelQueued(tx, claimId)
        }),
      )
    },
    enqueue: (claim, mail) =>
      acceptMessage(context, claim, mail, { world, account: 'embedded', limits }),
  }
}
