import type { Http } from '../http.ts'

export type HealthOptions = { database(): Promise<void> }

/** What `/readyz` says without a database. */
export const AWAY = { status: 'not_ready', database: 'away' } as const
export const RETRY_AFTER_S = 2

/** `/healthz`: the process runs. `/readyz`: it can do its work, the database included. */
export function healthRoutes(app: Http, { database }: HealthOptions): void {
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    try {
      await database()
      return { status: 'ready', database: 'ok' }
    } catch {
      return reply.status(503).header('retry-after', RETRY_AFTER_S).send(AWAY)
    }
  })
}
