/** A sealed row that tells whether the secret key is the one of this database, and whether rows can be written. */
import { sql } from 'kysely'
import type { StoreContext } from './context.ts'
import type { Database } from './database.ts'
import { sealLabel } from './dkim-keys.ts'

const TEXT = 'canary'

/** Whether the database has secrets that some key sealed, or that are known by a keyed hash alone. */
export async function hasSecrets(db: Database): Promise<boolean> {
  const { rows } = await sql<{ isUsed: boolean }>`
    select exists (select from canary) or exists (select from api_keys)
        or exists (select from dkim_keys where private_key is not null) as "isUsed"`.execute(db)
  return rows[0]!.isUsed
}

/** Whether the key of the vault is the one that this database is used with. The first to ask decides. */
export async function isRightKey({ db, vault }: StoreContext): Promise<boolean> {
  const opens = (sealed: string, label: string) => {
    try {
      vault.open(sealed, label)
      return true
    } catch {
      return false
    }
  }
  const known = await sealedText(db)
  if (known !== undefined) return opens(known, TEXT)
  // A database of before there was a canary.
  const older = await db
    .selectFrom('dkim_keys')
    .select(['claim_id', 'private_key'])
    .where('private_key', 'is not', null)
    .limit(1)
    .executeTakeFirst()
  if (older && !opens(older.private_key!, sealLabel(older.claim_id))) return false
  await db
    .insertInto('canary')
    .values({ sealed: vault.seal(TEXT, TEXT) })
    .onConflict((c) => c.doNothing())
    .execute()
  return opens((await sealedText(db)) ?? '', TEXT)
}

/** Throws where the database cannot be asked, or not be written. */
export async function writeCanary(db: Database): Promise<void> {
  await sql`update canary set written_at = now()`.execute(db)
}

async function sealedText(db: Database): Promise<string | undefined> {
  return (await db.selectFrom('canary').select('sealed').executeTakeFirst())?.sealed
}
