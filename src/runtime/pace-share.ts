/**
 * This process's share of the query rate. One short transaction renews it every second, so that no query
 * waits for the database. A process that cannot renew its share stops when it expires, as the others then
 * divide it.
 */
import { randomUUID } from 'node:crypto'
import { periodically } from '#engine/periodic.ts'
import { releaseShare, renewShare } from '#store/pace-shares.ts'
import type { Runtime } from './context.ts'

/** A killed process keeps its share from the others for `leaseMs`. */
const TIMES = { renewedEveryMs: 1000, leaseMs: 6000 }
/** Stops before others begin, by this part of the lease. */
const MARGIN = 0.1

/** The current share, from 0 to 1. Released with everything else that was opened. */
export async function openPaceShare(
  { store, opened, onError }: Pick<Runtime, 'store' | 'opened' | 'onError'>,
  { renewedEveryMs, leaseMs } = TIMES,
): Promise<() => number> {
  const process = randomUUID()
  let held = { share: 0, until: 0 }
  let isAway = false
  const share = () => (performance.now() < held.until ? held.share : 0)

  async function renew(): Promise<void> {
    const began = performance.now()
    try {
      const renewed = await renewShare(store, process, share(), leaseMs)
      held = {
        share: Math.min(renewed.share, renewed.evenly),
        until: began + leaseMs * (1 - MARGIN),
      }
      isAway = false
    } catch (error) {
      // Reported once each time the database goes away.
      if (!isAway) onError(error)
      isAway = true
    }
  }

  await renew()
  opened.defer(() => releaseShare(store, process).catch(onError))
  opened.use(periodically({ everyMs: renewedEveryMs, beginsAtOnce: false, work: renew, onError }))
  return share
}
