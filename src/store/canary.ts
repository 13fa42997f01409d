/** A sealed row that shows whether the secret key fits this database and whether rows can be written. */
import { sql } from 'kysely'
import type { StoreContext } from './context.ts'
import type { Database } from './database.ts'
import { sealLabel } from './dkim-keys.ts'

const TEXT = 'canary'

/** Whether the database has sealed secrets or keyed hashes. */
export async function hasSecrets(db: Database): Promise<boolean> {
  const { rows } = await sql<{ isUsed: boolean }>`
    select exists (select from canary) or exists (select from api_keys)
        or exists (select from dkim_keys where private_key is not null) as "isUsed"`.execute(db)
  return rows[0]!.isUsed
}

/** Whether the vault's key fits this database. The first caller decides. */
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
  // A database from before the canary.
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

/** Throws when the database cannot be read or written. */
export async function writeCanary(db: Database): Promise<void> {
  await sql`update canary set written_at = now()`.execute(db)
}

async function sealedText(db: Database): Promise<string | undefined> {
  return (await db.selectFrom('canary').select('sealed').executeTakeFirst())?.sealed
}
