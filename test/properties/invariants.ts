/** What must hold of a house whatever is done to it: sentences about what does not, none when all is well. */
import { sendingOf } from '#api/domains/domain-views.ts'
import { statusOf } from '#domains/lifecycle.ts'
import { hours, minutes } from '../../src/clock.ts'
import type { Snapshot, Standing } from './snapshot.ts'

/** Holds in every moment, also between two steps of a pass. */
export function brokenAtAnyTime(seen: Snapshot): string[] {
  const sending = Map.groupBy(seen.domains.filter(maySend(seen)), ({ row }) => row.name)
  const pairs = Map.groupBy(
    seen.domains.filter(({ claim }) => !claim.isReleased && claim.nameservers.length > 0),
    ({ row, claim }) => `${row.name} ${claim.nameservers.join()}`,
  )
  return [
    ...[...sending].flatMap(([name, all]) =>
      all.length > 1 ? [`${all.length} domains named ${name} may send at once`] : [],
    ),
    ...[...pairs].flatMap(([pair, all]) =>
      all.length > 1 ? [`${all.length} claims have one pair: ${pair}`] : [],
    ),
  ]
}

/** Holds once each domain has been looked at since `since`, the time of the last change. */
export function brokenOnceSettled(seen: Snapshot, since: Date): string[] {
  const standing = seen.domains.filter(({ row }) => row.removal_requested_at === null)
  return standing.flatMap((domain) => {
    const { row } = domain
    const of = (broken: string | undefined) =>
      broken ? [`${row.name} (${row.id}): ${broken}`] : []
    const wasSeen = lookedAt(domain) >= since.getTime()
    return [
      ...of(staleStatus(domain)),
      ...of(restsTooLong(seen, domain)),
      ...of(wasSeen ? sendsUnproven(seen, domain) : undefined),
      ...of(wasSeen ? servedThoughDisplaced(seen, domain) : undefined),
    ]
  })
}

const maySend =
  ({ takenAt }: Snapshot) =>
  ({ row, conditions }: Standing): boolean =>
    row.removal_requested_at === null && sendingOf(row, conditions, takenAt).allowed

const lookedAt = ({ conditions }: Standing): number =>
  conditions.get('delegated')?.lastLookAt?.getTime() ?? 0

function staleStatus({ row, conditions }: Standing): string | undefined {
  const wanted = statusOf(conditions, row.activated_at !== null)
  return row.status === wanted ? undefined : `is ${row.status}, its conditions say ${wanted}`
}

/** Sending needs a delegation seen within the hour. */
function restsTooLong({ takenAt }: Snapshot, { row }: Standing): string | undefined {
  if (row.activated_at === null) return undefined
  const restsMs = row.next_at.getTime() - takenAt.getTime()
  if (restsMs <= hours(1)) return undefined
  return `was active, and is looked at again in ${Math.round(restsMs / minutes(1))} minutes only`
}

function sendsUnproven(seen: Snapshot, domain: Standing): string | undefined {
  if (!maySend(seen)(domain)) return undefined
  const { row, claim, shown } = domain
  if (seen.holders.get(row.name) !== claim.id) return 'may send, and does not hold its name'
  const isProven = shown?.nameservers.join() === claim.nameservers.join() && !shown?.hasDs
  const lostAt = row.delegation?.lostAt
  const isForgiven = lostAt !== undefined && Date.now() - Date.parse(lostAt) < minutes(11)
  if (shown === undefined || isProven || isForgiven) return undefined
  return `may send, while above it there is ${JSON.stringify(shown)} and its pair is ${claim.nameservers}`
}

function servedThoughDisplaced(seen: Snapshot, domain: Standing): string | undefined {
  const holder = seen.holders.get(domain.row.name)
  if (!domain.hasServices || holder === domain.claim.id) return undefined
  const hasTrouble = [...domain.conditions.values()].some(({ lastLookError }) => lastLookError)
  return hasTrouble ? undefined : `has mail services, and its name is held by ${holder ?? 'nobody'}`
}
