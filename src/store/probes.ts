import { sql } from 'kysely'
import type { ProbeStore } from '#domains/ports.ts'
import type { Authentication } from '#mail/incoming/results.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { wakeDomain } from './due-tables.ts'

export function probeStore({ db }: StoreContext): ProbeStore {
  return {
    async latest({ id }) {
      const row = await db
        .selectFrom('probes')
        .selectAll()
        .where('domain_id', '=', id)
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst()
      return (
        row && {
          fingerprint: row.fingerprint,
          sentAt: row.sent_at ?? undefined,
          judgement: row.judgement ?? undefined,
        }
      )
    },
    async lastJudged({ id }) {
      const { rows } = await sql<{
        fingerprint: string
        judgement: Authentication
        followed_at: Date | null
      }>`
        select p.fingerprint, p.judgement,
               (select min(f.sent_at) from probes f where f.domain_id = p.domain_id and f.id > p.id)
                 as followed_at
          from probes p where p.domain_id = ${id} and p.judged_at is not null
         order by p.id desc limit 1`.execute(db)
      const [row] = rows
      return row && { ...row, followedAt: row.followed_at ?? undefined }
    },
    async open({ id }, { recipient, fingerprint }) {
      await db
        .insertInto('probes')
        .values({
          id: newId(),
          domain_id: id,
          recipient,
          fingerprint,
          sent_at: null,
          judged_at: null,
          judgement: null,
        })
        .execute()
    },
    async sent(recipient) {
      await db
        .updateTable('probes')
        .set({ sent_at: new Date() })
        .where('recipient', '=', recipient)
        .execute()
    },
    async forget({ id }) {
      await db.deleteFrom('probes').where('domain_id', '=', id).execute()
    },
  }
}

/** Records the verdict on a probe. False when none is expected at this address. */
export async function judgeProbe(
  { db, doorbell }: StoreContext,
  recipient: string,
  judgement: Authentication,
): Promise<boolean> {
  const probe = await db.transaction().execute(async (tx) => {
    const judged = await tx
      .updateTable('probes')
      .set({ judgement: JSON.stringify(judgement) as never, judged_at: new Date() })
      .where('recipient', '=', recipient)
      .where('judged_at', 'is', null)
      .returning('domain_id')
      .executeTakeFirst()
    if (judged) await wakeDomain(tx, judged.domain_id)
    return judged
  })
  if (probe) doorbell.ring(TOPICS.domainsDue)
  return probe !== undefined
}

export async function isProbeRecipient({ db }: StoreContext, recipient: string): Promise<boolean> {
  const probe = await db
    .selectFrom('probes')
    .select('id')
    .where('recipient', '=', recipient)
    .executeTakeFirst()
  return probe !== undefined
}
