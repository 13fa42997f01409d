/** Tries log-ins in threads of their own: what a stranger's server sends holds nothing else up. */
import { Worker } from 'node:worker_threads'
import { type Attempt, type Failure, LogInFailed } from './servers.ts'

const ENTRY = new URL('./attempt.ts', import.meta.url)
const RESOURCES = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 }
const AT_ONCE = 8

let running = 0
const waiting: (() => void)[] = []

/** Throws `LogInFailed`, also when it has not ended by the time of `signal`. */
export async function tryInThread(attempt: Attempt, signal: AbortSignal): Promise<void> {
  await place(signal)
  try {
    const failure = await ended(attempt, signal)
    if (failure !== undefined) throw new LogInFailed(failure)
  } finally {
    running--
    waiting.shift()?.()
  }
}

/** Waits until few enough run; in their order. */
async function place(signal: AbortSignal): Promise<void> {
  if (running >= AT_ONCE) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    waiting.push(resolve)
    signal.addEventListener('abort', () => reject(new LogInFailed('timed_out')), { once: true })
    await promise.catch((error) => {
      waiting.splice(waiting.indexOf(resolve), 1)
      throw error
    })
  }
  running++
}

async function ended(attempt: Attempt, signal: AbortSignal): Promise<Failure | undefined> {
  if (signal.aborted) return 'timed_out'
  const worker = new Worker(ENTRY, { workerData: attempt, resourceLimits: RESOURCES })
  const { promise, resolve } = Promise.withResolvers<Failure | undefined>()
  const abort = () => resolve('timed_out')
  worker.once('message', resolve)
  // A server that made it fail is none that we can use.
  worker.once('error', () => resolve('refused'))
  worker.once('exit', () => resolve('refused'))
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', abort)
    await worker.terminate()
  }
}
