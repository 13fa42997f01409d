/** Reserves addresses for inboxes; a pass over the domain then makes them. */
import { sql } from 'kysely'
import { answerRequests, type InboxAnswer } from '#domains/inbox-requests.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { Queryable } from './database.ts'
import type { DomainRow } from './domains.ts'
import { wakeDomain } from './due-tables.ts'
import { type InboxRow, insertInboxEvents } from './inboxes.ts'

export type InboxRequest = { localpart: string; displayName: string }

export type Reserved =
  | { is: 'reserved'; inbox: InboxRow }
  | Exclude<InboxAnswer, { is: 'accepted' }>

/**
 * Reserves addresses within the domain's capacity, and wakes the domain; a result for each request, in order.
 * `also` writes in the same transaction. Undefined when the domain is gone.
 */
export async function reserveInboxes(
  { db, doorbell }: StoreContext,
  domain: DomainRow,
  requests: readonly InboxRequest[],
  also: (tx: Queryable, reserved: readonly Reserved[]) => Promise<void> = async () => {},
): Promise<Reserved[] | undefined> {
  const reserved = await db.transaction().execute(async (tx) => {
    const results = await reserve(tx, domain, requests)
    if (results) await also(tx, results)
    return results
  })
  doorbell.ring(TOPICS.domainsDue)
  return reserved
}

/**
 * Holds the domain's row, but not its key: a pass that makes inboxes ready holds their rows, and needs the key of the
 * domain for its events. So of two requests for one address at once, the second sees the first.
 */
async function reserve(
  tx: Queryable,
  domain: DomainRow,
  requests: readonly InboxRequest[],
): Promise<Reserved[] | undefined> {
  const held = await tx
    .selectFrom('domains')
    .select('max_inboxes')
    .where('id', '=', domain.id)
    .where('removal_requested_at', 'is', null)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (!held) return undefined
  const present = await tx
    .selectFrom('inboxes')
    .select(['localpart', 'removed_at'])
    .where('domain_id', '=', domain.id)
    .where((is) => is.or([is('removed_at', 'is', null), is('torn_down_at', 'is', null)]))
    .execute()
  const answers = answerRequests(
    requests.map(({ localpart }) => localpart),
    present.map((row) => ({ localpart: row.localpart, isBeingRemoved: row.removed_at !== null })),
    {
      current: present.filter(({ removed_at }) => removed_at === null).length,
      max: held.max_inboxes,
    },
  )
  const accepted = requests.filter((_, index) => answers[index]!.is === 'accepted')
  const inboxes = accepted.length > 0 ? await insertInboxes(tx, domain, accepted) : new Map()
  return answers.map((answer, index) =>
    answer.is === 'accepted'
      ? { is: 'reserved', inbox: inboxes.get(requests[index]!.localpart)! }
      : answer,
  )
}

async function insertInboxes(
  tx: Queryable,
  domain: DomainRow,
  requests: readonly InboxRequest[],
): Promise<Map<string, InboxRow>> {
  const rows = requests.map(({ localpart, displayName }) => ({
    id: newId(),
    localpart,
    address: `${localpart}@${domain.name}`,
    display_name: displayName,
  }))
  const inserted = await sql<InboxRow>`
    with changed as (
      insert into inboxes (id, workspace_id, world, domain_id, localpart, address, display_name, status)
      select id, ${domain.workspace_id}::uuid, ${domain.world}, ${domain.id}::uuid, localpart, address,
             display_name, 'PENDING'
        from jsonb_populate_recordset(null::inboxes, ${JSON.stringify(rows)}) returning *),
    events as (${insertInboxEvents('inbox.created', sql`'The inbox ' || address || ' was added.'`)})
    select * from changed`.execute(tx)
  await wakeDomain(tx, domain.id)
  return new Map(inserted.rows.map((row) => [row.localpart, row]))
}
