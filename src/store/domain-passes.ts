/** What a pass reads and writes: the domain as it stands, and the pen that is fenced by its epoch. */

import { sql } from 'kysely'
import { lookedAgain } from '#domains/conditions.ts'
import { firstUnmet, LIFECYCLE } from '#domains/lifecycle.ts'
import type { LoadedDomain } from '#domains/pass.ts'
import type { Ports } from '#domains/ports.ts'
import type { Claim, Condition, ConditionType, Domain, Verdict } from '#domains/types.ts'
import type { Taken } from '#engine/due-rows.ts'
import type { StoreContext } from './context.ts'
import type { ConditionRow, DomainRow } from './domains.ts'
import { openPen } from './pen.ts'
import type { WorldName } from './tables.ts'

/** The names of the accounts a domain was placed at. */
export type Placed = { zone: string; sender: string; mailbox: string }

/** Undefined for a world that is off in this process. */
export type PortsOf = (world: WorldName, placed: Placed) => Ports | undefined

/** Loads a taken domain for its pass; undefined when it is gone. */
export async function loadForPass(
  context: StoreContext,
  row: Taken,
  portsOf: PortsOf,
): Promise<LoadedDomain | undefined> {
  const { db } = context
  const found = await db
    .selectFrom('domains as d')
    .innerJoin('claims as c', 'c.domain_id', 'd.id')
    .selectAll('d')
    .select(['c.id as claim_id', 'c.nameservers', 'c.points_at_pool'])
    .select([placedFor, hasRecords, conditionsOf])
    .where('d.id', '=', row.id)
    .where('d.removed_at', 'is', null)
    .executeTakeFirst()
  if (!found) return undefined
  const { claim_id: claimId, nameservers, placements, conditions, ...domain } = found
  const ports = portsOf(domain.world, placedAt(domain))
  if (!ports) return undefined // A world that is off here: nothing of it is touched.
  const claim = { claimId, name: domain.name, nameservers }
  const loaded = toDomain(found, conditions.map(withDates), claim)
  const removal = domain.removal_requested_at
    ? { requestedAt: domain.removal_requested_at, tornDownAt: domain.torn_down_at ?? undefined }
    : undefined
  const pen = openPen(context, row, domain, loaded, new Set(placements), ports)
  return { domain: loaded, removal, ports, pen }
}

/** The stages at which something stands for the claim. */
const placedFor = sql<ConditionType[]>`array(
  select stage from placements p where p.claim_id = c.id and p.removed_at is null)`.as('placements')

const hasRecords = sql<boolean>`exists (
  select from customer_records r where r.domain_id = d.id)`.as('has_records')

/** With the domain in one question: most passes find nothing new, and asking is most of their work. */
const conditionsOf = sql<Unparsed[]>`coalesce(
  (select jsonb_agg(k) from conditions k where k.domain_id = d.id), '[]')`.as('conditions')

type Unparsed = Record<keyof ConditionRow, string>

/** In JSON, times are texts. */
function withDates(row: Unparsed): ConditionRow {
  const { since, last_look_at, next_look_at, stalled_since } = row
  return {
    ...row,
    since: new Date(since),
    last_look_at: last_look_at && new Date(last_look_at),
    next_look_at: next_look_at && new Date(next_look_at),
    stalled_since: stalled_since && new Date(stalled_since),
  } as ConditionRow
}

export const placedAt = (row: DomainRow): Placed => ({
  zone: row.zone_driver,
  sender: row.sender_driver,
  mailbox: row.mailbox_driver,
})

function toDomain(
  row: DomainRow & { points_at_pool: boolean; has_records: boolean },
  conditions: readonly ConditionRow[],
  claim: Claim,
): Domain {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    conditions: toConditions(conditions, row),
    activatedAt: row.activated_at ?? undefined,
    createdAt: row.created_at,
    askedAt: row.asked_at,
    mayActivate: row.may_activate,
    delegation: row.delegation ?? undefined,
    pointsAtPool: row.points_at_pool,
    hasOwnRecords: row.has_records,
    importIsWanted: row.import_state === 'wanted',
    takeMail: row.take_mail,
    acceptsDrops: row.accepts_drops,
    claim,
  }
}

/** The looks at what goes on as it was are noted once, in the domain's own row. */
export function toConditions(
  rows: readonly ConditionRow[],
  { activated_at, looked_at, next_look_at }: LookTimes,
): Map<ConditionType, Condition> {
  const of = (row: ConditionRow): [ConditionType, Condition] => [
    row.type as ConditionType,
    {
      verdict: toVerdict(row),
      since: row.since,
      waitedMs: Number(row.waited_ms),
      lastLookAt: row.last_look_at ?? undefined,
      lastLookError: row.last_look_error ?? undefined,
      nextLookAt: later(row.next_look_at, next_look_at),
    },
  ]
  const stored = new Map(rows.map(of))
  if (!looked_at) return stored
  // A pass over a domain that is not active ends at the first stage that is not met.
  const last = activated_at ? undefined : firstUnmet(stored)?.met
  const types = LIFECYCLE.map(({ met }) => met)
  const looked = types.slice(0, last && types.indexOf(last) + 1)
  for (const type of looked) {
    const condition = stored.get(type)
    if (condition) stored.set(type, lookedAgain(condition, looked_at))
  }
  return stored
}

type LookTimes = Pick<DomainRow, 'activated_at' | 'looked_at' | 'next_look_at'>

const later = (a: Date | null, b: Date | null): Date | undefined =>
  [a, b].flatMap((date) => date ?? []).toSorted((x, y) => y.getTime() - x.getTime())[0]

function toVerdict({ verdict, reason, message }: ConditionRow): Verdict {
  if (verdict === 'met') return { is: 'met' }
  return { is: verdict as 'waiting', reason: reason ?? '', message: message ?? '' }
}
