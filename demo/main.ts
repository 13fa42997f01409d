/** `npm run demo`: runs the product's story; exits with 1 if anything goes wrong. */
import { Screen } from './screen.ts'
import { tell } from './story.ts'
import { Unexpected } from './unexpected.ts'

const LIMIT_MS = 240_000
/** A shell's exit code for a program ended by Ctrl-C. */
const INTERRUPTED = 130

const screen = new Screen(process.stdout, process.env)
const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    process.exitCode = INTERRUPTED
    stop.abort(new Unexpected('Interrupted.'))
  })
}
// The reader of the output may be gone: `npm run demo | head`.
process.stdout.on('error', () => stop.abort(new Unexpected('Nobody listens any more.')))
const limit = setTimeout(
  () => stop.abort(new Unexpected(`The demo took longer than ${LIMIT_MS / 1000} s.`)),
  LIMIT_MS,
)

try {
  await tell(screen, stop.signal)
  screen.title('\nThat was all. Mailstead was ended, and its temporary directory removed.')
} catch (error) {
  process.exitCode ??= 1
  const said = error instanceof Unexpected ? error.message : `This is a bug: ${stackOf(error)}`
  screen.failed(`${said}\n  Mailstead was ended and its temporary directory removed.`)
}
clearTimeout(limit)

function stackOf(error: unknown): unknown {
  return error instanceof Error ? error.stack : error
}
