import { once } from 'node:events'
import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import { type ClientConfig, Pool, type PoolClient } from 'pg'
import { isStalePlan, preparing, Statements } from './statements.ts'
import type { Tables } from './tables.ts'

export type Database = Kysely<Tables>
/** A database, or a transaction in it. */
export type Queryable = Database | Transaction<Tables>

/** What `make` gives for a database, made once for each: all callers of a process share it. */
export function perDatabase<T>(make: (db: Database) => T): (db: Database) => T {
  const made = new WeakMap<Database, T>()
  return (db) => {
    const known = made.get(db) ?? make(db)
    made.set(db, known)
    return known
  }
}

export type DatabaseOptions = {
  connections?: number
  /** How long a query may take; 0: no limit. */
  queryLimitMs?: number
  onError: (error: Error) => void
}

const QUERY_LIMIT_MS = 15_000

/** Opens a pool. Every query has a deadline: 5 s to get a connection, 15 s to run. */
export function openDatabase(
  connection: ClientConfig,
  { connections = 16, queryLimitMs = QUERY_LIMIT_MS, onError }: DatabaseOptions,
): Database {
  const pool = new Pool({
    ...connection,
    max: connections,
    connectionTimeoutMillis: 5000,
    query_timeout: queryLimitMs,
    // The server's limit is lower: an abandoned query must not keep its locks.
    statement_timeout: Math.floor(queryLimitMs * 0.9),
    idle_in_transaction_session_timeout: 30_000,
    application_name: 'mailstead',
  })
  // Without a listener, a connection lost to a server restart would end the process. The pool's own covers
  // idle connections only, so each gets one while it is in use.
  pool.on('error', onError)
  pool.on('connect', (client) => client.on('error', onError))
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: poolOf(pool) }) })
}

/**
 * `Pool.end` resolves while its connections are still closing: stopping the server then would break them, and
 * each would report an error. This `end` waits for them. Frequent statements are prepared.
 */
function poolOf(pool: Pool) {
  const statements = new Statements()
  const open = new Set<PoolClient>()
  pool.on('connect', (client) => open.add(client))
  pool.on('remove', (client) => open.delete(client))
  return {
    options: pool.options,
    connect: async () => preparing(await pool.connect(), statements),
    async end() {
      await pool.end()
      while (open.size > 0) await once(pool, 'remove')
    },
  }
}

// SQLSTATE. An operator must fix: class 08 connection exceptions, 57P a server that stops or starts, 53 a
// full disk, too little memory or too many connections, 58 system errors, 25006 a read-only database. A
// repeat fixes: 57014 a timeout, 40 and 55P03 a conflict with another transaction.
const AWAY_CODES =
  /^(08|57P|57014|53|58|25006|40|55P03|ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|ETIMEDOUT|EACCES)/
const AWAY_MESSAGES = [
  'timeout exceeded when trying to connect',
  'Query read timeout',
  'Connection terminated',
  'Client has encountered a connection error',
]

/**
 * Whether the database could not be reached or written just now, rather than that it refused. Some connection
 * errors of `pg` have no code; their opening words identify them.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (isStalePlan(error)) return true // A repeat is planned anew.
  const code = 'code' in error ? String(error.code) : ''
  if (AWAY_CODES.test(code)) return true
  return code === '' && AWAY_MESSAGES.some((opening) => error.message.startsWith(opening))
}

/** Whether an insert or update ran into the unique index of that name. */
export function violates(error: unknown, constraint: string): boolean {
  if (!(error instanceof Error) || !('code' in error) || !('constraint' in error)) return false
  return error.code === '23505' && error.constraint === constraint
}
