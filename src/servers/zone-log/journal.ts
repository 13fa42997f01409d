/** Lets a follower keep its names in the log of zones. */
import type { Journal, Position } from '../follower.ts'
import type { ZoneLog } from './zone-log.ts'

/** A name and its payload; no payload where nothing is served for the name. */
type EncodedName = { name: string; payload: Uint8Array | undefined }

/** How often a mark is written while nothing changes. */
const NOTE_EVERY_MS = 60_000

export function zoneJournal(log: ZoneLog): Journal<EncodedName> {
  let position: Position | undefined = log.mark
  let notedAt = Number.NEGATIVE_INFINITY
  return {
    async position() {
      if (log.isRested) {
        await log.tryAgain()
        position = log.mark
      }
      return position
    },
    keep: (page) => log.append(page.map(({ name, payload }) => [name, payload])),
    begin: () => log.clearSeen(),
    unread: () => log.unseen(),
    async complete(reached, hasChanged) {
      position = reached
      const now = performance.now()
      if (hasChanged || now - notedAt >= NOTE_EVERY_MS) {
        notedAt = now
        await log.complete(reached)
      }
      if (!hasChanged) log.tidy()
    },
  }
}
