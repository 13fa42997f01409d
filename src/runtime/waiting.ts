/** Waits for Postgres at a start, without limit, with messages that an operator can act on. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { unusableBecause } from '#store/unusable.ts'
import { backOffMs } from '../clock.ts'
import { type BareRuntime, type Connection, openRuntime, type Runtime } from './context.ts'

/** The pauses between tries double from the first to the longest. A fix by an operator takes longer. */
const PAUSES = {
  away: { firstMs: 250, mostMs: 5_000 },
  refused: { firstMs: 2_000, mostMs: 60_000 },
} as const
/** The same error is not logged more often. */
const REPEAT_MS = 60_000

export type Waiting<Opened> = {
  signal: AbortSignal | undefined
  /** Answers requests until Postgres does. */
  answerMeanwhile(): Promise<AsyncDisposable> | undefined
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
  { signal = new AbortController().signal, answerMeanwhile, open }: Waiting<Opened>,
): Promise<Opened> {
  const tell = teller(bare.logger)
  let meanwhile: AsyncDisposable | undefined
  const leave = async () => {
    await meanwhile?.[Symbol.asyncDispose]()
    meanwhile = undefined
  }
  await using _ = { [Symbol.asyncDispose]: leave }
  for (let tries = 0; ; tries++) {
    await using opened = new AsyncDisposableStack()
    try {
      const runtime = await unless(signal, openRuntime({ ...bare, opened }, connection))
      await leave()
      const all = await open(runtime)
      bare.opened.use(opened.move())
      return all
    } catch (error) {
      const trouble = signal.aborted ? undefined : unusableBecause(error)
      if (!trouble) throw error
      tell(trouble.sentence)
      meanwhile ??= await answerMeanwhile()
      await delay(backOffMs(PAUSES[trouble.is], tries), undefined, { signal })
    }
  }
}

/** Does not wait for `result` after an abort: a silent host may hold it for seconds. */
async function unless<Result>(signal: AbortSignal, result: Promise<Result>): Promise<Result> {
  signal.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = () => reject(signal.reason)
  signal.addEventListener('abort', stop)
  try {
    return await Promise.race([result, promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function teller(logger: Logger): (sentence: string) => void {
  let [told, at] = ['', 0]
  return (sentence) => {
    const now = performance.now()
    if (sentence === told && now - at < REPEAT_MS) return
    ;[told, at] = [sentence, now]
    logger.warn(`waits for the database: ${sentence}`)
  }
}
