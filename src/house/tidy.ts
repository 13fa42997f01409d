/** What is forgotten in time, whoever made it. */
import type { StoreContext } from '#store/context.ts'
import { dropOldAnswers } from '#store/idempotent-requests.ts'
import { dropMailOfRemoved, dropOldMail } from '#store/mail-retention.ts'
import { dropOldRows } from '#store/old-rows.ts'
import { dropOldCounts } from '#store/request-counts.ts'

const TIDY_EVERY_MS = 10 * 60_000

/** Forgets old counts, answers and rows, at once and every ten minutes. */
export function keepTidy(
  store: StoreContext,
  mailDays: number,
  onError: (error: unknown) => void,
): AsyncDisposable {
  let tidying = Promise.resolve()
  const tidy = () => {
    tidying = tidying
      .then(() => dropOldCounts(store))
      .then(() => dropOldAnswers(store))
      .then(() => dropOldRows(store))
      .then(() => dropMailOfRemoved(store))
      .then(() => dropOldMail(store, mailDays))
      .catch(onError)
  }
  tidy()
  const timer = setInterval(tidy, TIDY_EVERY_MS)
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await tidying
    },
  }
}
