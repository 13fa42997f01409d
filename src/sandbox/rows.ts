/** The sandbox's state as rows, so that a restart changes nothing in it. */
import { sql } from 'kysely'
import type { ConditionType } from '#domains/types.ts'
import type { StoreContext } from '#store/context.ts'
import { newId } from '../ids.ts'
import type { Outcome } from './outcomes.ts'
import type { Delegation } from './parent.ts'
import type { PostboxMessage } from './postbox.ts'

export async function listDelegations({ db }: StoreContext): Promise<Delegation[]> {
  const rows = await db.selectFrom('sandbox_delegations').selectAll().execute()
  return rows.map(({ name, nameservers, ds, published_at }) => ({
    name,
    nameservers,
    ds,
    publishedAt: published_at,
  }))
}

export async function putDelegation(
  { db }: StoreContext,
  { name, nameservers, ds, publishedAt }: Delegation,
): Promise<void> {
  const values = { nameservers: [...nameservers], ds: [...ds], published_at: publishedAt }
  await db
    .insertInto('sandbox_delegations')
    .values({ name, ...values })
    .onConflict((c) => c.column('name').doUpdateSet(values))
    .execute()
}

export async function dropDelegation({ db }: StoreContext, name: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('sandbox_delegations')
    .where('name', '=', name)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

export async function putOutcome(
  { db }: StoreContext,
  name: string,
  stage: ConditionType,
  outcome: Outcome,
  times: number,
): Promise<void> {
  await db
    .insertInto('sandbox_outcomes')
    .values({ name, stage, outcome, times_left: times })
    .onConflict((c) => c.columns(['name', 'stage']).doUpdateSet({ outcome, times_left: times }))
    .execute()
}

export async function dropOutcomes({ db }: StoreContext, name: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('sandbox_outcomes')
    .where('name', '=', name)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

/** Counts the outcome down. */
export async function takeOutcome(
  { db }: StoreContext,
  name: string,
  stage: ConditionType,
): Promise<Outcome | undefined> {
  const taken = await db
    .updateTable('sandbox_outcomes')
    .set({ times_left: sql`times_left - 1` })
    .where('name', '=', name)
    .where('stage', '=', stage)
    .where('times_left', '>', 0)
    .returning('outcome')
    .executeTakeFirst()
  return taken?.outcome as Outcome | undefined
}

/** The outstanding outcomes with their counts; read after every change. */
export async function listOutcomes({ db }: StoreContext): Promise<OutstandingOutcome[]> {
  const rows = await db
    .selectFrom('sandbox_outcomes')
    .selectAll()
    .where('times_left', '>', 0)
    .execute()
  return rows.map(({ name, stage, outcome, times_left }) => ({
    name,
    stage: stage as ConditionType,
    outcome: outcome as Outcome,
    times: times_left,
  }))
}

export type OutstandingOutcome = {
  name: string
  stage: ConditionType
  outcome: Outcome
  times: number
}

/** One message, once for each of its recipients. */
export async function keepSandboxMessage(
  { db }: StoreContext,
  { recipients, envelopeSender, raw, authentication }: PostboxMessage,
): Promise<void> {
  const copies = recipients.map((recipient) => ({
    id: newId(),
    envelope_sender: envelopeSender,
    recipient,
    raw,
    authentication: JSON.stringify(authentication) as never,
  }))
  await db.insertInto('sandbox_messages').values(copies).execute()
}

const MESSAGES_SHOWN = 100

/** The latest messages to an address, the oldest of them first. */
export async function listSandboxMessages({ db }: StoreContext, recipient: string) {
  const rows = await db
    .selectFrom('sandbox_messages')
    .selectAll()
    .where('recipient', '=', recipient)
    .orderBy('received_at', 'desc')
    .limit(MESSAGES_SHOWN)
    .execute()
  return rows.toReversed()
}
