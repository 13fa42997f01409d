import { sendingObstacle } from '#domains/sending.ts'
import { fence, type Taken } from '#engine/due-rows.ts'
import type { Queued } from '#mail/outgoing/queue.ts'
import type { AttemptResult } from '#mail/outgoing/transfer.ts'
import { conditionsInJson, toConditions, withDates } from './conditions.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import type { WorldName } from './tables.ts'

export type QueuedDelivery = Omit<Queued, 'options'> & { world: WorldName }

/** A queued message for its attempt; undefined when it has gone. */
export async function loadDelivery(
  { db }: StoreContext,
  row: Taken,
  now: Date,
): Promise<QueuedDelivery | undefined> {
  const found = await db
    .selectFrom('deliveries')
    .selectAll()
    .where('id', '=', row.id)
    .executeTakeFirst()
  return (
    found && {
      envelopeSender: found.envelope_sender,
      recipient: found.recipient,
      raw: found.raw,
      world: found.world,
      createdAt: found.created_at,
      sending: await sendingOf(db, found.claim_id, now),
    }
  )
}

async function sendingOf(db: Queryable, claimId: string, now: Date): Promise<Queued['sending']> {
  const domain = await db
    .selectFrom('holders as h')
    .innerJoin('claims as c', 'c.id', 'h.claim_id')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .select(['d.activated_at', 'd.looked_at', 'd.next_look_at', 'd.delegation', conditionsInJson])
    .where('h.claim_id', '=', claimId)
    .where('d.removal_requested_at', 'is', null)
    .executeTakeFirst()
  if (!domain) return 'ended'
  const conditions = toConditions(domain.conditions.map(withDates), domain)
  return sendingObstacle(conditions, domain.delegation, now) === undefined ? 'allowed' : 'held'
}

/** Nobody reads the message any more. */
const ending = (state: 'delivered' | 'failed') => {
  return { state, finished_at: new Date(), raw: Buffer.alloc(0) }
}

/** Notes how an attempt ended; a deferral leaves the message queued. */
export async function noteAttempt(
  { db }: StoreContext,
  row: Taken,
  result: AttemptResult,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await fence(tx, 'deliveries', row)
    const ended = result.is === 'deferred' ? {} : ending(result.is)
    await tx
      .updateTable('deliveries')
      .set({ last_reply: result.reply.slice(0, 1000), ...ended })
      .where('id', '=', row.id)
      .execute()
  })
}
