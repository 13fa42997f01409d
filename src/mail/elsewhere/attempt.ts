/** The thread that tries one log-in. It may be ended at any time. */
import { parentPort, workerData } from 'node:worker_threads'
import { tryImap } from './imap-log-in.ts'
import { type Attempt, LogInFailed } from './servers.ts'
import { trySmtp } from './smtp-log-in.ts'

const { protocol, place, logIn, mailHost } = workerData as Attempt
const attempt = protocol === 'smtp' ? trySmtp(place, logIn, mailHost) : tryImap(place, logIn)
const failure = await attempt.then(
  () => undefined,
  (error: unknown) => (error instanceof LogInFailed ? error.failure : 'refused'),
)
parentPort!.postMessage(failure)
// Whatever a session leaves behind ends with the thread.
process.exit()
