import type { MailboxStore } from '#drivers/mailbox/embedded/driver.ts'
import type { StoreContext } from './context.ts'
import type { Database } from './database.ts'
import type { WorldName } from './tables.ts'

/** The rows behind the embedded mailbox service. */
export function mailboxStore({ db }: StoreContext, world: WorldName): MailboxStore {
  return {
    async createDomain({ claimId, name }) {
      await db
        .insertInto('mail_domains')
        .values({ claim_id: claimId, world, name })
        .onConflict((c) => c.doNothing())
        .execute()
    },
    async removeDomain(claimId) {
      await db.deleteFrom('mail_domains').where('claim_id', '=', claimId).execute()
    },
    createMailbox(claimId, localpart) {
      return db.transaction().execute(async (tx) => {
        // Held, so that the mail domain is not taken away between the two.
        const domain = await tx
          .selectFrom('mail_domains')
          .select('claim_id')
          .where('claim_id', '=', claimId)
          .forKeyShare()
          .executeTakeFirst()
        if (domain === undefined) return false
        await tx
          .insertInto('mailboxes')
          .values({ claim_id: claimId, localpart })
          .onConflict((c) => c.doNothing())
          .execute()
        return true
      })
    },
    async removeMailbox(claimId, localpart) {
      await db
        .deleteFrom('mailboxes')
        .where('claim_id', '=', claimId)
        .where('localpart', '=', localpart)
        .execute()
    },
    async listMailboxes(claimId) {
      const rows = await db
        .selectFrom('mailboxes')
        .select('localpart')
        .where('claim_id', '=', claimId)

        .execute()
      return rows.map(({ localpart }) => localpart).toSorted()
    },
  }
}

/** What a recipient's domain is to us. Mail goes to the claim that holds the name, whatever else exists. */
export type MailDomain =
  | { is: 'hosted'; claimId: string; world: WorldName; hasMailbox: boolean }
  | { is: 'tombstone' }
  | { is: 'unknown' }

export async function findMailDomain(
  db: Database,
  domain: string,
  localpart: string,
): Promise<MailDomain> {
  const hosted = await db
    .selectFrom('mail_domains as m')
    .innerJoin('holders as h', 'h.claim_id', 'm.claim_id')
    .innerJoin('claims as c', 'c.id', 'm.claim_id')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .leftJoin('mailboxes as b', (join) =>
      join.onRef('b.claim_id', '=', 'm.claim_id').on('b.localpart', '=', localpart),
    )
    .select(['m.claim_id', 'm.world', 'b.localpart'])
    .where('m.name', '=', domain)
    .where('d.removal_requested_at', 'is', null)
    .executeTakeFirst()
  if (hosted) {
    return {
      is: 'hosted',
      claimId: hosted.claim_id,
      world: hosted.world,
      hasMailbox: hosted.localpart !== null,
    }
  }
  const removed = await db
    .selectFrom('domains')
    .select('id')
    .where('name', '=', domain)
    .where('removal_requested_at', 'is not', null)
    .where('removed_at', 'is', null)
    .executeTakeFirst()
  return { is: removed ? 'tombstone' : 'unknown' }
}
