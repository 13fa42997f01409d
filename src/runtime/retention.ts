/** Deletes expired rows. */
import { periodically } from '#engine/periodic.ts'
import type { StoreContext } from '#store/context.ts'
import { dropOldAnswers } from '#store/idempotent-requests.ts'
import { dropMailOfRemoved, dropOldMail } from '#store/mail-retention.ts'
import { dropOldRows, dropRemovedDomains } from '#store/old-rows.ts'
import { dropOldCounts } from '#store/request-counts.ts'

const EVERY_MS = 10 * 60_000

/** Now and every ten minutes. */
export const deleteExpired = (
  store: StoreContext,
  mailDays: number,
  onError: (error: unknown) => void,
): AsyncDisposable =>
  periodically({
    everyMs: EVERY_MS,
    onError,
    async work() {
      await dropOldCounts(store)
      await dropOldAnswers(store)
      await dropOldRows(store)
      await dropMailOfRemoved(store)
      await dropRemovedDomains(store)
      await dropOldMail(store, mailDays)
    },
  })
