/** Serials of the zones that come from the settings and not from rows. */
import { sql } from 'kysely'
import type { Database } from './database.ts'

/**
 * The serial for a zone with this content: one more whenever the content is another than the last that
 * was written here, by whichever process.
 */
export async function platformSerial(db: Database, apex: string, digest: string): Promise<number> {
  const { rows } = await sql<{ serial: string }>`
    insert into platform_zones as z (apex, digest) values (${apex}, ${digest})
    on conflict (apex) do update set
      serial = z.serial + (z.digest <> excluded.digest)::int, digest = excluded.digest
    returning serial`.execute(db)
  return Number(BigInt(rows[0]!.serial) % 2n ** 32n)
}
