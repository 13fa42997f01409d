/** The operator's switch for all sending. */
import type { Logger } from 'pino'
import { z } from 'zod'
import type { StoreContext } from '#store/context.ts'
import {
  readSendingStop,
  type SendingStop,
  startSending,
  stopSending,
} from '#store/sending-stops.ts'
import type { Http } from '../http/http.ts'
import { headerText } from '../http/shapes.ts'

/** Callers of the API read the reason. */
const body = z.object({ reason: headerText.min(1).max(500) })

export function sendingRoutes(app: Http, store: StoreContext, logger: Logger): void {
  app.get('/sending', async () => shown(await readSendingStop(store)))
  app.post('/sending/stop', { schema: { body } }, async (request) => {
    const { reason } = request.body
    const stop = await stopSending(store, reason)
    logger.warn({ reason }, 'all sending is stopped')
    return shown(stop)
  })
  app.post('/sending/start', async () => {
    await startSending(store)
    logger.warn('sending is on')
    return shown(undefined)
  })
}

const shown = (stop: SendingStop | undefined) => ({
  stopped: stop ? { reason: stop.reason, at: stop.at.toISOString() } : null,
})
