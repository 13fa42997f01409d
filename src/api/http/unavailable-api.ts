/** Answers at the API's address while Postgres is not reachable: 503, except for `/healthz`. */
import type { Endpoint } from '#names/ip.ts'
import { ALIVE, readiness } from './health.ts'
import { listenPlain } from './plain-server.ts'
import { PROBLEMS } from './problems.ts'

const { detail } = PROBLEMS.database_away
const UNAVAILABLE = { status: 503, body: { detail, error: 'database_away' } }
const NOT_READY = readiness({ isReady: false, checks: { database: 'away' } })

/** Disposing it frees the address. Rejects if another process listens there. */
export const startUnavailableApi = (endpoint: Endpoint): Promise<AsyncDisposable> =>
  listenPlain(endpoint, (path) => {
    if (path === '/healthz') return ALIVE
    return path === '/readyz' ? NOT_READY : UNAVAILABLE
  })
