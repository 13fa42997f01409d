/** The built-in zone host: rows that our own authoritative servers answer from. */
import { DriverError } from '../../errors.ts'
import type { Change, ClaimRef, RRset, ZoneDriver } from '../contract.ts'
import { objectionTo } from '../objections.ts'

/** The store of zones; passed in by the composition root. Each call is one transaction. */
export type ZoneStore = {
  create(claim: ClaimRef): Promise<void>
  /** Undefined when the claim has no zone. */
  read(claimId: string): Promise<readonly RRset[] | undefined>
  /** Replaces the rrsets by the result of `edit`; false when the claim has no zone. */
  edit(claimId: string, edit: (rrsets: readonly RRset[]) => readonly RRset[]): Promise<boolean>
  remove(claim: ClaimRef): Promise<void>
}

export function embeddedZoneDriver(store: ZoneStore): ZoneDriver {
  return {
    naming: 'pair',
    oneZonePerName: false,
    async ensureZone(claim, signal) {
      signal.throwIfAborted()
      await store.create(claim)
      return { nameservers: claim.nameservers }
    },
    async readZone({ claimId }, signal) {
      signal.throwIfAborted()
      return store.read(claimId)
    },
    async unservedIn({ claimId }, signal) {
      signal.throwIfAborted()
      const rrsets = (await store.read(claimId)) ?? []
      return rrsets.flatMap((rrset) => {
        const why = objectionTo(rrset)
        return why === undefined ? [] : [{ name: rrset.name, type: rrset.type, why }]
      })
    },
    async changeZone({ claimId, name }, changes, signal) {
      signal.throwIfAborted()
      const isThere = await store.edit(claimId, (rrsets) => apply(rrsets, changes))
      if (!isThere) absent(name)
    },
    async removeZone(claim, signal) {
      signal.throwIfAborted()
      await store.remove(claim)
    },
    objectionTo,
  }
}

function absent(name: string): never {
  throw new DriverError('rejected', `There is no zone ${name} here.`)
}

function apply(rrsets: readonly RRset[], changes: readonly Change[]): readonly RRset[] {
  const zone = new Map(rrsets.map((rrset) => [`${rrset.name} ${rrset.type}`, rrset]))
  for (const change of changes) {
    if ('put' in change) zone.set(`${change.put.name} ${change.put.type}`, change.put)
    else zone.delete(`${change.drop.name} ${change.drop.type}`)
  }
  return [...zone.values()]
}
