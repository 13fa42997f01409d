import type { Http } from './http.ts'

/** The checks by name: `ok`, or a few words on what is wrong. */
export type HealthReport = { isReady: boolean; checks: Readonly<Record<string, string>> }
export type HealthOptions = { report(): Promise<HealthReport> }

/** `/readyz` without a database. */
export const AWAY = { status: 'not_ready', database: 'away' } as const
export const RETRY_AFTER_S = 2

/** `/healthz`: the process runs. `/readyz`: it can do its work, the database included. */
export function healthRoutes(app: Http, { report }: HealthOptions): void {
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const { isReady, checks } = await report()
    if (isReady) return { status: 'ready', ...checks }
    const body = { status: 'not_ready', ...checks }
    return reply.status(503).header('retry-after', RETRY_AFTER_S).send(body)
  })
}
