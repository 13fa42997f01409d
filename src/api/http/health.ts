/** Serves `/healthz` and `/readyz`, in the API and at MAILSTEAD_HEALTH_LISTEN. */
import type { Endpoint } from '#names/ip.ts'
import type { Http } from './http.ts'
import { listenPlain, type PlainAnswer } from './plain-server.ts'

/** The checks by name: each is `ok`, or names its trouble in a few words. */
export type HealthReport = { isReady: boolean; checks: Readonly<Record<string, string>> }
export type HealthOptions = { report(): Promise<HealthReport> }

const RETRY_AFTER_S = 2

/** `/healthz`: the process runs. */
export const ALIVE: PlainAnswer = { status: 200, body: { status: 'ok' } }

/** `/readyz`: the process and its database work. */
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

/**
 * Serves both paths at one more address, in processes of every role, for every Host header. Rejects
 * if another process listens there.
 */
export const listenHealth = (
  endpoint: Endpoint,
  health: HealthOptions,
): Promise<AsyncDisposable & Endpoint> =>
  listenPlain(endpoint, async (path) => {
    if (path === '/healthz') return ALIVE
    if (path === '/readyz') return readiness(await health.report())
    return { status: 404, body: { error: 'not_found' } }
  })
