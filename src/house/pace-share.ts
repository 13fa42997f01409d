/**
 * What part of the pace this process may use. It is renewed every second in one short transaction, so that
 * no question waits for the database. A process that cannot renew its share asks nothing once it has run
 * out, for by then the others have divided it.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { giveShareUp, renewShare } from '#store/pace-shares.ts'
import type { Foundation } from './foundation.ts'

const RENEWED_EVERY_MS = 1000
/** A process that was killed keeps its share from the others for so long. */
const LEASE_MS = 6000
/** We stop before others begin. */
const MARGIN_MS = 500

/** The share as it is now, from 0 to 1. It is given up with everything else that was opened. */
export async function openPaceShare({ store, opened, onError }: Foundation): Promise<() => number> {
  const process = randomUUID()
  const stop = new AbortController()
  let held = { share: 0, until: 0 }
  let isAway = false
  const share = () => (performance.now() < held.until ? held.share : 0)

  async function renew(): Promise<void> {
    const began = performance.now()
    try {
      const renewed = await renewShare(store, process, share(), LEASE_MS)
      held = {
        share: Math.min(renewed.share, renewed.evenly),
        until: began + LEASE_MS - MARGIN_MS,
      }
      isAway = false
    } catch (error) {
      // Told once for each time that the database goes away.
      if (!isAway) onError(error)
      isAway = true
    }
  }

  async function keepRenewing(): Promise<void> {
    while (!stop.signal.aborted) {
      await delay(RENEWED_EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined)
      if (!stop.signal.aborted) await renew()
    }
  }

  await renew()
  const renewing = keepRenewing()
  opened.defer(async () => {
    stop.abort()
    await renewing
    await giveShareUp(store, process).catch(onError)
  })
  return share
}
