import { sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { ClientConfig } from 'pg'
import * as house from '../../migrations/0001-house.ts'
import * as outsideServices from '../../migrations/0002-outside-services.ts'
import * as limits from '../../migrations/0003-limits.ts'
import * as redirects from '../../migrations/0004-redirects.ts'
import * as dkimRotation from '../../migrations/0005-dkim-rotation.ts'
import * as keptRight from '../../migrations/0006-kept-right.ts'
import * as cuts from '../../migrations/0007-cuts.ts'
import * as failedAt from '../../migrations/0008-failed-at.ts'
import * as unmet from '../../migrations/0009-unmet.ts'
import * as abandoned from '../../migrations/0010-abandoned.ts'
import * as oldRows from '../../migrations/0011-old-rows.ts'
import * as derived from '../../migrations/0012-derived.ts'
import * as importNote from '../../migrations/0013-import-note.ts'
import * as secondaries from '../../migrations/0014-secondaries.ts'
import * as paceShares from '../../migrations/0015-pace-shares.ts'
import * as keyTree from '../../migrations/0016-key-tree.ts'
import * as workspaceCounts from '../../migrations/0017-workspace-counts.ts'
import * as mailContents from '../../migrations/0018-mail-contents.ts'
import * as outgoingMessages from '../../migrations/0019-outgoing-messages.ts'
import * as mailRetention from '../../migrations/0020-mail-retention.ts'
import * as bouncesAndTlsPolicies from '../../migrations/0021-bounces-and-tls-policies.ts'
import * as mailUsage from '../../migrations/0022-mail-usage.ts'
import * as dataAt from '../../migrations/0023-data-at.ts'
import * as events from '../../migrations/0024-events.ts'
import * as canary from '../../migrations/0025-canary.ts'
import * as forgottenDomains from '../../migrations/0026-forgotten-domains.ts'
import * as inboxLives from '../../migrations/0027-inbox-lives.ts'
import * as suppressions from '../../migrations/0028-suppressions.ts'
import * as sentCopies from '../../migrations/0029-sent-copies.ts'
import * as appPasswords from '../../migrations/0030-app-passwords.ts'
import * as sendingStops from '../../migrations/0031-sending-stops.ts'
import * as inboxPauses from '../../migrations/0032-inbox-pauses.ts'
import * as conversationKinds from '../../migrations/0033-conversation-kinds.ts'
import * as messageWords from '../../migrations/0034-message-words.ts'
import * as signatures from '../../migrations/0035-signatures.ts'
import * as dmarcReports from '../../migrations/0036-dmarc-reports.ts'
import * as mailboxCopies from '../../migrations/0037-mailbox-copies.ts'
import * as smtpAccounts from '../../migrations/0038-smtp-accounts.ts'
import { type Database, openDatabase } from './database.ts'

/** Every migration by name, oldest first. Forward only: a later one corrects a mistake. */
const MIGRATIONS: Record<string, Migration> = {
  '0001-house': house,
  '0002-outside-services': outsideServices,
  '0003-limits': limits,
  '0004-redirects': redirects,
  '0005-dkim-rotation': dkimRotation,
  '0006-kept-right': keptRight,
  '0007-cuts': cuts,
  '0008-failed-at': failedAt,
  '0009-unmet': unmet,
  '0010-abandoned': abandoned,
  '0011-old-rows': oldRows,
  '0012-derived': derived,
  '0013-import-note': importNote,
  '0014-secondaries': secondaries,
  '0015-pace-shares': paceShares,
  '0016-key-tree': keyTree,
  '0017-workspace-counts': workspaceCounts,
  '0018-mail-contents': mailContents,
  '0019-outgoing-messages': outgoingMessages,
  '0020-mail-retention': mailRetention,
  '0021-bounces-and-tls-policies': bouncesAndTlsPolicies,
  '0022-mail-usage': mailUsage,
  '0023-data-at': dataAt,
  '0024-events': events,
  '0025-canary': canary,
  '0026-forgotten-domains': forgottenDomains,
  '0027-inbox-lives': inboxLives,
  '0028-suppressions': suppressions,
  '0029-sent-copies': sentCopies,
  '0030-app-passwords': appPasswords,
  '0031-sending-stops': sendingStops,
  '0032-inbox-pauses': inboxPauses,
  '0033-conversation-kinds': conversationKinds,
  '0034-message-words': messageWords,
  '0035-signatures': signatures,
  '0036-dmarc-reports': dmarcReports,
  '0037-mailbox-copies': mailboxCopies,
  '0038-smtp-accounts': smtpAccounts,
}

/** The database has a migration that this code does not know. */
export class NewerSchema extends Error {
  override readonly name = 'NewerSchema'
  readonly migration: string

  constructor(migration: string, options: { cause: unknown }) {
    super(`${migration} is not among the migrations`, options)
    this.migration = migration
  }
}

/**
 * Brings the schema up to date. Several processes may do so at once; one does the work. Uses its own
 * connection, as changing a large table exceeds the query limit. Throws `NewerSchema` when the database is
 * ahead.
 */
export async function migrate(
  connection: ClientConfig,
  onError: (error: Error) => void,
): Promise<void> {
  await using db = openDatabase(connection, { connections: 1, queryLimitMs: 0, onError })
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  const unknown = await unknownMigration(db).catch(() => undefined) // Throws `error` then.
  throw unknown === undefined ? error : new NewerSchema(unknown, { cause: error })
}

async function unknownMigration(db: Database): Promise<string | undefined> {
  const { rows } = await sql<{ name: string }>`
    select name from kysely_migration order by name desc`.execute(db)
  return rows.find(({ name }) => !Object.hasOwn(MIGRATIONS, name))?.name
}
