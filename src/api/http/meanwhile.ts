/** Answers until Postgres and the API are there. */
import type { Endpoint } from '#names/ip.ts'
import { ALIVE, readiness } from './health.ts'
import { listenPlain } from './plain-server.ts'
import { PROBLEMS } from './problems.ts'

const { detail } = PROBLEMS.database_away
const OTHERS = { status: 503, body: { detail, error: 'database_away' } }
const AWAY = readiness({ isReady: false, checks: { database: 'away' } })

/** Listens where the API will; disposing it frees the address. Rejects where the address is taken. */
export const startMeanwhile = (endpoint: Endpoint): Promise<AsyncDisposable> =>
  listenPlain(endpoint, (path) => {
    if (path === '/healthz') return ALIVE
    return path === '/readyz' ? AWAY : OTHERS
  })
