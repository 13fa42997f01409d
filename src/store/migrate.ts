import { type Migration, Migrator } from 'kysely/migration'
import * as house from '../../migrations/0001-house.ts'
import * as outsideServices from '../../migrations/0002-outside-services.ts'
import type { Database } from './database.ts'

/** Every migration by name, oldest first. Forward only: a mistake is mended by the next one. */
const MIGRATIONS: Record<string, Migration> = {
  '0001-house': house,
  '0002-outside-services': outsideServices,
}

/** Brings the schema up to date. Several processes may do so at once; one does the work. */
export async function migrate(db: Database): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}
