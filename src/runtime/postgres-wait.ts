/** Waits for Postgres at a start, without limit, with messages that an operator can act on. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { whyUnusable } from '#store/unusable.ts'
import { backOffMs } from '../clock.ts'
import { orAborted } from '../turns.ts'
import { type BareRuntime, type Connection, openRuntime, type Runtime } from './context.ts'

/** The pauses between tries double from the first to the longest. A fix by an operator takes longer. */
const PAUSES = {
  away: { firstMs: 250, mostMs: 5_000 },
  refused: { firstMs: 2_000, mostMs: 60_000 },
} as const
const REPEAT_MS = 60_000

export type PostgresWait<Opened> = {
  signal: AbortSignal | undefined
  /** Starts the server that answers requests until the API can. */
  openStandIn(): Promise<AsyncDisposable> | undefined
  /** Opens all that needs the database. */
  open(runtime: Runtime): Promise<Opened>
}

/**
 * Opens what needs the database, retrying while it cannot be used. Throws any other error, and the signal's
 * reason.
 */
export async function whenPostgresAnswers<Opened>(
  bare: BareRuntime,
  connection: Connection,
  { signal = new AbortController().signal, openStandIn, open }: PostgresWait<Opened>,
): Promise<Opened> {
  const warn = repeatLimited(bare.logger)
  let standIn: AsyncDisposable | undefined
  const closeStandIn = async () => {
    await standIn?.[Symbol.asyncDispose]()
    standIn = undefined
  }
  await using _ = { [Symbol.asyncDispose]: closeStandIn }
  for (let tries = 0; ; tries++) {
    await using opened = new AsyncDisposableStack()
    try {
      // A silent host may hold a connection for seconds: an abort does not wait for it.
      const runtime = await orAborted(openRuntime({ ...bare, opened }, connection), signal)
      await closeStandIn()
      const all = await open(runtime)
      bare.opened.use(opened.move())
      return all
    } catch (error) {
      const trouble = signal.aborted ? undefined : whyUnusable(error)
      if (!trouble) throw error
      warn(trouble.sentence)
      standIn ??= await openStandIn()
      await delay(backOffMs(PAUSES[trouble.is], tries), undefined, { signal })
    }
  }
}

/** Logs a repeated sentence at most once a minute. */
function repeatLimited(logger: Logger): (sentence: string) => void {
  let [last, at] = ['', 0]
  return (sentence) => {
    const now = performance.now()
    if (sentence === last && now - at < REPEAT_MS) return
    ;[last, at] = [sentence, now]
    logger.warn(`waits for the database: ${sentence}`)
  }
}
