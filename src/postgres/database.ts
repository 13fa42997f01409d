// The first connection: does it answer, and does it have our database?
import pg from 'pg'

const CONNECT_LIMIT_MS = 2_000
const QUERY_LIMIT_MS = 30_000

/** How `pg` reaches the server: `host` is the directory of the Unix socket. */
export type Connection = {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** Connects and creates `connection.database` if it is missing. Takes up to 62 s, then throws. */
export async function openDatabase(connection: Connection): Promise<void> {
  const client = new pg.Client({
    ...connection,
    database: 'postgres', // It always exists.
    ssl: false,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    query_timeout: QUERY_LIMIT_MS,
  })
  // Without a listener a server that goes away ends our process; the calls below throw anyway.
  client.on('error', () => {})
  try {
    await client.connect()
    await createIfMissing(client, connection.database)
  } finally {
    await client.end()
  }
}

/** The server's state behind an error of `openDatabase`: the first two pass. */
export function stateBehind(error: unknown): 'silent' | 'recovering' | 'refusing' {
  if (!(error instanceof pg.DatabaseError)) return 'silent'
  // Class 57P0 of SQLSTATE: the server starts or shuts down.
  return error.code?.startsWith('57P0') ? 'recovering' : 'refusing'
}

async function createIfMissing(client: pg.Client, name: string): Promise<void> {
  const found = await client.query('select from pg_database where datname = $1', [name])
  if (found.rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(name)}`)
}
