/** The wait for Postgres at a start: as long as it takes, in words that an operator can act on. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { unusableBecause } from '#store/unusable.ts'
import { backOffMs } from '../clock.ts'
import { type BareRuntime, type Connection, openRuntime, type Runtime } from './context.ts'

/** The pauses between tries double from the first to the longest. What an operator has to mend takes longer. */
const PAUSES = {
  away: { firstMs: 250, mostMs: 5_000 },
  refused: { firstMs: 2_000, mostMs: 60_000 },
} as const
/** The same trouble is not told more often. */
const REPEAT_MS = 60_000

export type Waiting<Opened> = {
  signal: AbortSignal | undefined
  /** Answers for us until Postgres does. */
  answerMeanwhile(): Promise<AsyncDisposable> | undefined
  /** Opens all that needs the database. */
  open(runtime: Runtime): Promise<Opened>
}

/**
 * Opens what needs the database, as often as it takes. Throws what speaks of other things than a database
 * that cannot be used just now, and the reason of the signal.
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

/** What is under way when the signal comes is left alone: a host that is silent may hold it for seconds. */
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
