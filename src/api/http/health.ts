/** Says whether a process lives, and whether it is ready: in the API, and at an address of its own. */
import type { Endpoint } from '#names/ip.ts'
import type { Http } from './http.ts'
import { listenPlain, type PlainAnswer } from './plain-server.ts'

/** The checks by name: `ok`, or a few words on what is wrong. */
export type HealthReport = { isReady: boolean; checks: Readonly<Record<string, string>> }
export type HealthOptions = { report(): Promise<HealthReport> }

const RETRY_AFTER_S = 2

/** `/healthz`: the process runs. */
export const ALIVE: PlainAnswer = { status: 200, body: { status: 'ok' } }

/** `/readyz`: it can do its work, the database included. */
export const readiness = ({ isReady, checks }: HealthReport): PlainAnswer => ({
  status: isReady ? 200 : 503,
  body: { status: isReady ? 'ready' : 'not_ready', ...checks },
})

export function healthRoutes(app: Http, health: HealthOptions): void {
  app.get('/healthz', async () => ALIVE.body)
  app.get('/readyz', async (_request, reply) => {
    const { status, body } = readiness(await health.report())
    if (status === 503) reply.header('retry-after', RETRY_AFTER_S)
    return reply.status(status).send(body)
  })
}

/** The same for processes of every role, whatever host is asked for. Rejects where the address is taken. */
export const listenHealth = (
  endpoint: Endpoint,
  health: HealthOptions,
): Promise<AsyncDisposable & Endpoint> =>
  listenPlain(endpoint, async (path) => {
    if (path === '/healthz') return ALIVE
    if (path === '/readyz') return readiness(await health.report())
    return { status: 404, body: { error: 'not_found' } }
  })
