/** What a pass reads and writes: the domain as it stands, and the pen that is fenced by its epoch. */

import { sql, type Transaction } from 'kysely'
import { afterFailedLook, afterLook, isSameVerdict } from '#domains/conditions.ts'
import { LIFECYCLE, stageOf, statusOf } from '#domains/lifecycle.ts'
import type { LoadedDomain } from '#domains/pass.ts'
import type { Pen, Ports } from '#domains/ports.ts'
import type {
  Claim,
  Condition,
  ConditionType,
  DelegationReport,
  Domain,
  Verdict,
} from '#domains/types.ts'
import { fence, type Taken } from '#engine/due-rows.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { Database } from './database.ts'
import type { ConditionRow, DomainRow } from './domains.ts'
import { note } from './events.ts'
import { touchName } from './served-names.ts'
import type { Tables, WorldName } from './tables.ts'

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
    conditions: toConditions(conditions),
    activatedAt: row.activated_at ?? undefined,
    createdAt: row.created_at,
    askedAt: row.asked_at,
    mayActivate: row.may_activate,
    delegation: row.delegation ?? undefined,
    claim,
  }
}

export function toConditions(rows: readonly ConditionRow[]): Map<ConditionType, Condition> {
  return new Map(rows.map((row) => [row.type as ConditionType, toCondition(row)]))
}

function toCondition(row: ConditionRow): Condition {
  return {
    verdict: toVerdict(row),
    since: row.since,
    waitedMs: Number(row.waited_ms),
    lastLookAt: row.last_look_at ?? undefined,
    lastLookError: row.last_look_error ?? undefined,
    nextLookAt: row.next_look_at ?? undefined,
  }
}

function toVerdict({ verdict, reason, message }: ConditionRow): Verdict {
  if (verdict === 'met') return { is: 'met' }
  return { is: verdict as 'waiting', reason: reason ?? '', message: message ?? '' }
}

/** Writes what a pass finds, and nothing once another worker has taken the row. */
function openPen(
  context: StoreContext,
  taken: Taken,
  row: DomainRow,
  domain: Domain,
  ports: Ports,
): Pen {
  const { db, doorbell } = context
  const conditions = domain.conditions as Map<ConditionType, Condition>
  const of = { domainId: row.id, workspaceId: row.workspace_id }
  let status = row.status
  let current: ConditionType = LIFECYCLE[0].met
  let unwritten: DelegationReport | undefined

  async function write(change: (tx: Transaction<Tables>) => Promise<void>): Promise<void> {
    await db.transaction().execute(async (tx) => {
      await fence(tx, 'domains', taken)
      await change(tx)
    })
    doorbell.ring(TOPICS.domain(row.id))
  }

  async function record(type: ConditionType, condition: Condition): Promise<void> {
    const before = conditions.get(type)
    conditions.set(type, condition)
    await write(async (tx) => {
      if (unwritten) await writeDelegation(tx, unwritten)
      await upsertCondition(tx, row.id, type, condition)
      if (!isSameVerdict(before?.verdict, condition.verdict))
        await noteVerdict(tx, of, type, condition.verdict)
      await writeStatus(tx)
    })
  }

  /** With its verdict, so that nobody sees the one without the other. */
  async function writeDelegation(tx: Transaction<Tables>, report: DelegationReport) {
    const { verdict, observed, message } = report
    await tx
      .updateTable('domains')
      .set({ delegation: JSON.stringify(report) as never })
      .where('id', '=', row.id)
      .execute()
    if (verdict !== domain.delegation?.verdict) {
      await note(tx, of, {
        type: 'delegation.seen',
        stage: 'delegated',
        message,
        data: { verdict, observed },
      })
    }
    domain.delegation = report
    unwritten = undefined
  }

  /** The one place that writes a status: what the conditions say, in their transaction. */
  async function writeStatus(tx: Transaction<Tables>): Promise<void> {
    const now = ports.clock.now()
    const next = statusOf(conditions, domain.activatedAt, now)
    if (next === status) return
    const isFirst = next === 'ACTIVE' && domain.activatedAt === undefined
    if (isFirst) domain.activatedAt = now
    await tx
      .updateTable('domains')
      .set({ status: next, ...(isFirst ? { activated_at: now } : {}) })
      .where('id', '=', row.id)
      .execute()
    await touchName(tx, row.name)
    if (next === 'ACTIVE')
      await note(tx, of, { type: 'domain.active', message: `${row.name} is active.` })
    if (next === 'FAILED')
      await note(tx, of, { type: 'domain.failed', message: `Setting up ${row.name} failed.` })
    status = next
    doorbell.ring(TOPICS.servedNames)
  }

  let standing: Promise<Set<ConditionType>> | undefined
  const placements = (claim: Claim) => {
    standing ??= placementsOf(db, claim)
    return standing
  }

  return {
    async begin(type) {
      current = type
      if (conditions.has(type)) return
      const verdict: Verdict = { is: 'waiting', reason: 'in_progress', message: 'Under way.' }
      await record(type, { ...FRESH, verdict, since: ports.clock.now() })
    },
    async verdict(type, verdict) {
      await record(type, afterLook(stageOf(type), conditions.get(type), verdict, ports.clock.now()))
    },
    async refused(verdict) {
      await record(
        current,
        afterLook(stageOf(current), conditions.get(current), verdict, ports.clock.now()),
      )
    },
    async couldNotLook(message, nextLookMs) {
      const before = conditions.get(current)
      if (!before) return
      await record(current, {
        ...afterFailedLook(before, message),
        nextLookAt: later(ports, nextLookMs),
      })
    },
    async nextLook(afterMs) {
      const nextLookAt = later(ports, afterMs)
      for (const [type, condition] of conditions) conditions.set(type, { ...condition, nextLookAt })
      await db
        .updateTable('conditions')
        .set({ next_look_at: nextLookAt })
        .where('domain_id', '=', row.id)
        .execute()
      // Whoever waits for the end of this pass looks again a moment after it.
      doorbell.ring(TOPICS.domain(row.id))
    },
    delegation(report) {
      unwritten = report
    },
    async placed(claim, stage) {
      const placed = await placements(claim)
      if (placed.has(stage)) return
      const driver = driverOf(row, stage)
      await write(async (tx) => {
        await tx
          .insertInto('placements')
          .values({ claim_id: claim.claimId, stage, driver, removed_at: null })
          .onConflict((c) =>
            c.columns(['claim_id', 'stage']).doUpdateSet({ removed_at: null, made_at: sql`now()` }),
          )
          .execute()
      })
      placed.add(stage)
    },
    removing(stage) {
      current = stage
    },
    async removed(claim, stage) {
      const placed = await placements(claim)
      await write(async (tx) => {
        await tx
          .updateTable('placements')
          .set({ removed_at: sql`now()` })
          .where('claim_id', '=', claim.claimId)
          .where('stage', '=', stage)
          .execute()
        await note(tx, of, { type: 'stage.removed', stage, message: `Taken away: ${stage}.` })
      })
      placed.delete(stage)
    },
    placements,
    async tornDown() {
      if (row.torn_down_at) return
      await write(async (tx) => {
        await tx
          .updateTable('domains')
          .set({ torn_down_at: sql`now()` })
          .where('id', '=', row.id)
          .execute()
        await touchName(tx, row.name)
      })
    },
    async gone() {
      await write(async (tx) => {
        await tx
          .updateTable('domains')
          .set({ torn_down_at: sql`coalesce(torn_down_at, now())`, removed_at: sql`now()` })
          .where('id', '=', row.id)
          .execute()
        await tx.deleteFrom('holders').where('claim_id', '=', domain.claim.claimId).execute()
        await tx
          .updateTable('claims')
          .set({ released_at: sql`now()` })
          .where('id', '=', domain.claim.claimId)
          .execute()
        await touchName(tx, row.name)
      })
      doorbell.ring(TOPICS.servedNames)
    },
  }
}

async function placementsOf(db: Database, { claimId }: Claim): Promise<Set<ConditionType>> {
  const rows = await db
    .selectFrom('placements')
    .select('stage')
    .where('claim_id', '=', claimId)
    .where('removed_at', 'is', null)
    .execute()
  return new Set(rows.map(({ stage }) => stage as ConditionType))
}

const FRESH = {
  waitedMs: 0,
  lastLookAt: undefined,
  lastLookError: undefined,
  nextLookAt: undefined,
}

const later = ({ clock }: Ports, afterMs: number): Date => new Date(clock.now().getTime() + afterMs)

function driverOf(row: DomainRow, stage: ConditionType): string {
  if (stage === 'zone_ready' || stage === 'records_published') return row.zone_driver
  return stage === 'mail_domain_ready' ? row.mailbox_driver : row.sender_driver
}

async function upsertCondition(
  tx: Transaction<Tables>,
  domainId: string,
  type: ConditionType,
  condition: Condition,
) {
  const { verdict } = condition
  const values = {
    verdict: verdict.is,
    reason: 'reason' in verdict ? verdict.reason : null,
    message: 'message' in verdict ? verdict.message : null,
    since: condition.since,
    waited_ms: String(Math.round(condition.waitedMs)),
    last_look_at: condition.lastLookAt ?? null,
    last_look_error: condition.lastLookError ?? null,
    next_look_at: condition.nextLookAt ?? null,
  }
  const stalled =
    condition.lastLookError === undefined
      ? sql<Date | null>`null`
      : sql<Date>`coalesce(conditions.stalled_since, now())`
  await tx
    .insertInto('conditions')
    .values({ domain_id: domainId, type, ...values, stalled_since: null })
    .onConflict((c) =>
      c.columns(['domain_id', 'type']).doUpdateSet({ ...values, stalled_since: stalled }),
    )
    .execute()
}

async function noteVerdict(
  tx: Transaction<Tables>,
  of: { domainId: string; workspaceId: string },
  stage: ConditionType,
  verdict: Verdict,
): Promise<void> {
  const message = 'message' in verdict ? verdict.message : 'Done.'
  await note(tx, of, { type: `stage.${verdict.is}`, stage, message })
  if (stage === 'delegated' && verdict.is === 'met') {
    await note(tx, of, { type: 'domain.delegated', stage, message: 'The delegation was seen.' })
  }
}
