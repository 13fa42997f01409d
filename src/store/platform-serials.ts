/** Serials of the zones that come from the settings. */
import { sql } from 'kysely'
import type { Database } from './database.ts'

/**
 * The serial for a zone with this content: raised by one when the content differs from what any process wrote
 * last.
 */
export async function platformSerial(db: Database, apex: string, digest: string): Promise<number> {
  const { rows } = await sql<{ serial: string }>`
    insert into platform_zones as z (apex, digest) values (${apex}, ${digest})
    on conflict (apex) do update set
      serial = z.serial + (z.digest <> excluded.digest)::int, digest = excluded.digest
    returning serial`.execute(db)
  return Number(BigInt(rows[0]!.serial) % 2n ** 32n)
}
