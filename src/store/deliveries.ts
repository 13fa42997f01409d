import type { AttemptResult, Delivery } from '#drivers/sender/embedded/deliver.ts'
import { fence, type Taken } from '#engine/due-rows.ts'
import type { StoreContext } from './context.ts'
import type { WorldName } from './tables.ts'

export type QueuedDelivery = Delivery & { world: WorldName; createdAt: Date; maySend: boolean }

/** A queued message for its attempt; undefined when it has gone. */
export async function loadDelivery(
  { db }: StoreContext,
  row: Taken,
): Promise<QueuedDelivery | undefined> {
  const found = await db
    .selectFrom('deliveries as d')
    .leftJoin('holders as h', 'h.claim_id', 'd.claim_id')
    .leftJoin('claims as c', 'c.id', 'd.claim_id')
    .leftJoin('domains as o', 'o.id', 'c.domain_id')
    .selectAll('d')
    .select(['h.claim_id as holder', 'o.removal_requested_at'])
    .where('d.id', '=', row.id)
    .executeTakeFirst()
  return (
    found && {
      envelopeSender: found.envelope_sender,
      recipient: found.recipient,
      raw: found.raw,
      world: found.world,
      createdAt: found.created_at,
      maySend: found.holder !== null && found.removal_requested_at === null,
    }
  )
}

/** Notes how an attempt ended; a deferral leaves the message queued. */
export async function noteAttempt(
  { db }: StoreContext,
  row: Taken,
  result: AttemptResult,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await fence(tx, 'deliveries', row)
    const ended = result.is === 'deferred' ? {} : { state: result.is, finished_at: new Date() }
    await tx
      .updateTable('deliveries')
      .set({ last_reply: result.reply.slice(0, 1000), ...ended })
      .where('id', '=', row.id)
      .execute()
  })
}
