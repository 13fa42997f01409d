/** What a pass reads and writes: the domain as it stands, and the pen that is fenced by its epoch. */

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
  const domain = await db
    .selectFrom('domains')
    .selectAll()
    .where('id', '=', row.id)
    .executeTakeFirst()
  const claim = await db
    .selectFrom('claims')
    .selectAll()
    .where('domain_id', '=', row.id)
    .executeTakeFirst()
  if (!domain || !claim || domain.removed_at) return undefined
  const conditions = await db
    .selectFrom('conditions')
    .selectAll()
    .where('domain_id', '=', row.id)
    .execute()
  const ports = portsOf(domain.world, placedAt(domain))
  if (!ports) return undefined // A world that is off here: nothing of it is touched.
  const loaded = toDomain(domain, conditions, {
    claimId: claim.id,
    name: claim.name,
    nameservers: claim.nameservers,
  })
  const removal = domain.removal_requested_at
    ? { requestedAt: domain.removal_requested_at, tornDownAt: domain.torn_down_at ?? undefined }
    : undefined
  return { domain: loaded, removal, ports, pen: openPen(context, row, domain, loaded, ports) }
}

export const placedAt = (row: DomainRow): Placed => ({
  zone: row.zone_driver,
  sender: row.sender_driver,
  mailbox: row.mailbox_driver,
})

function toDomain(row: DomainRow, conditions: readonly ConditionRow[], claim: Claim): Domain {
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
    importIsWanted: row.import_state === 'wanted',
    takeMail: row.take_mail,
    acceptsDrops: row.accepts_drops,
    claim,
  }
}

/** The looks at what goes on being met are noted once, in the domain's own row. */
export function toConditions(
  rows: readonly ConditionRow[],
  { looked_at, next_look_at }: Pick<DomainRow, 'looked_at' | 'next_look_at'>,
): Map<ConditionType, Condition> {
  const of = (row: ConditionRow): Condition => {
    const goesOn = row.verdict === 'met' || row.verdict === 'not_applicable'
    return {
      verdict: toVerdict(row),
      since: row.since,
      waitedMs: Number(row.waited_ms),
      lastLookAt: later(row.last_look_at, goesOn ? looked_at : null),
      lastLookError: row.last_look_error ?? undefined,
      nextLookAt: later(row.next_look_at, next_look_at),
    }
  }
  return new Map(rows.map((row) => [row.type as ConditionType, of(row)]))
}

const later = (a: Date | null, b: Date | null): Date | undefined =>
  [a, b].flatMap((date) => date ?? []).toSorted((x, y) => y.getTime() - x.getTime())[0]

function toVerdict({ verdict, reason, message }: ConditionRow): Verdict {
  if (verdict === 'met') return { is: 'met' }
  return { is: verdict as 'waiting', reason: reason ?? '', message: message ?? '' }
}
