import { sql } from 'kysely'
import type { MailboxStore } from '#drivers/mailbox/embedded/driver.ts'
import type { MailDomain } from '#mail/incoming/recipient.ts'
import type { StoreContext } from './context.ts'
import type { Database } from './database.ts'
import { PassCache } from './pass-cache.ts'
import type { WorldName } from './tables.ts'

/** The rows behind the embedded mailbox service, for one pass. */
export function mailboxStore({ db }: StoreContext, world: WorldName): MailboxStore {
  const known = new PassCache<readonly string[] | undefined>()
  const mailboxesOf = (claimId: string) => known.get(claimId, () => readMailboxes(db, claimId))
  return {
    async createDomain({ claimId, name }) {
      if (await mailboxesOf(claimId)) return
      const values = { claim_id: claimId, world, name }
      const making = db.insertInto('mail_domains').values(values)
      await known.writing(claimId, () => making.onConflict((c) => c.doNothing()).execute())
    },
    async removeDomain(claimId) {
      const removing = db.deleteFrom('mail_domains').where('claim_id', '=', claimId)
      await known.writing(claimId, () => removing.execute())
    },
    createMailbox(claimId, localpart) {
      // Locks the mail domain, so that it is not removed between the two.
      const making = sql`
        with domain as (select claim_id from mail_domains where claim_id = ${claimId} for key share),
        made as (
          insert into mailboxes (claim_id, localpart) select claim_id, ${localpart} from domain
          on conflict do nothing)
        select from domain`
      return known.writing(claimId, async () => (await making.execute(db)).rows.length > 0)
    },
    async removeMailbox(claimId, localpart) {
      const removing = db
        .deleteFrom('mailboxes')
        .where('claim_id', '=', claimId)
        .where('localpart', '=', localpart)
      await known.writing(claimId, () => removing.execute())
    },
    listMailboxes: async (claimId) => (await mailboxesOf(claimId)) ?? [],
  }
}

/** Sorted; undefined when there is no mail domain of this claim. */
async function readMailboxes(
  db: Database,
  claimId: string,
): Promise<readonly string[] | undefined> {
  const { rows } = await sql<{ localparts: string[] }>`
    select array(select localpart from mailboxes b where b.claim_id = m.claim_id) as localparts
      from mail_domains m where m.claim_id = ${claimId}`.execute(db)
  return rows[0]?.localparts.toSorted()
}

/**
 * The holder of the name receives the mail of a domain. Its mailbox is the first of `localparts` that exists.
 */
export async function findMailDomain(
  db: Database,
  domain: string,
  localparts: readonly string[],
): Promise<MailDomain> {
  const { rows } = await sql<{ claim_id: string; world: WorldName; mailboxes: string[] }>`
    select m.claim_id, m.world,
           array(select b.localpart from mailboxes b
                  where b.claim_id = m.claim_id and b.localpart = any(${[...localparts]})) as mailboxes
      from mail_domains m
      join holders h on h.claim_id = m.claim_id
      join claims c on c.id = m.claim_id
      join domains d on d.id = c.domain_id
     where m.name = ${domain} and d.removal_requested_at is null`.execute(db)
  const [hosted] = rows
  if (hosted) {
    const mailbox = localparts.find((localpart) => hosted.mailboxes.includes(localpart))
    return { is: 'hosted', claimId: hosted.claim_id, world: hosted.world, mailbox }
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
