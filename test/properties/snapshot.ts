/** Everything about the names of one realm, as it stood in one moment. */
import type { Conditions } from '#domains/lifecycle.ts'
import { toConditions } from '#store/conditions.ts'
import type { DomainRow } from '#store/domains.ts'
import type { Estate } from './estate.ts'
import type { ServedRRsets, Shown } from './shown.ts'
import { shownFor } from './shown.ts'

export type Standing = {
  row: DomainRow
  conditions: Conditions
  claim: { id: string; nameservers: readonly string[]; isReleased: boolean }
  /** What delegates the name now shows for it; undefined where that cannot be told. */
  shown: Shown | undefined
  /** Whether a mail service has it. */
  hasServices: boolean
}

export type Snapshot = {
  takenAt: Date
  domains: readonly Standing[]
  /** The holding claim of each name. */
  holders: ReadonlyMap<string, string>
  /** Every zone at our host, by its claim. */
  zones: ReadonlyMap<string, { nameservers: readonly string[]; rrsets: ServedRRsets }>
}

export function takeSnapshot({ db }: Pick<Estate, 'db'>, realm: string): Promise<Snapshot> {
  const like = `%.${realm}.test`
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      const domains = await tx
        .selectFrom('domains as d')
        .innerJoin('claims as c', 'c.domain_id', 'd.id')
        .selectAll('d')
        .select(['c.id as claim_id', 'c.nameservers', 'c.released_at'])
        .where('d.name', 'like', like)
        .execute()
      const ids = ['00000000-0000-0000-0000-000000000000', ...domains.map(({ id }) => id)]
      const conditions = await tx
        .selectFrom('conditions')
        .selectAll()
        .where('domain_id', 'in', ids)
        .execute()
      const held = await tx.selectFrom('holders').selectAll().where('name', 'like', like).execute()
      const zoneRows = await tx
        .selectFrom('zones')
        .selectAll()
        .where('name', 'like', like)
        .execute()
      const senders = await tx.selectFrom('sender_domains').select('claim_id').execute()
      const mails = await tx.selectFrom('mail_domains').select('claim_id').execute()
      const published = await tx.selectFrom('sandbox_delegations').selectAll().execute()
      const zones = new Map(zoneRows.map((zone) => [zone.claim_id, zone]))
      const holders = new Map(held.map(({ name, claim_id }) => [name, claim_id]))
      const services = new Set([...senders, ...mails].map(({ claim_id }) => claim_id))
      return {
        takenAt: new Date(),
        holders,
        zones,
        domains: domains.map(({ claim_id, nameservers, released_at, ...row }) => ({
          row,
          conditions: toConditions(
            conditions.filter(({ domain_id }) => domain_id === row.id),
            row,
          ),
          claim: { id: claim_id, nameservers, isReleased: released_at !== null },
          shown: shownFor(row.name, { holders, zones, published }),
          hasServices: services.has(claim_id),
        })),
      }
    })
}
