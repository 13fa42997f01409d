/**
 * `npm run bench [-- name …]`: measures the figures we quote, each with the product as a user runs it.
 * With `--write`, puts those of `detection`, `active`, `dns`, `mail` and `receive` into the README.
 */
import { parseArgs } from 'node:util'
import { Client } from '../test/client.ts'
import { active } from './active.ts'
import { crowd } from './crowd.ts'
import { detection } from './detection.ts'
import { dns } from './dns.ts'
import { takeFigures, writeFigures } from './figures.ts'
import { handler } from './handler.ts'
import { inboxes } from './inboxes.ts'
import { lists } from './lists.ts'
import { lives } from './lives.ts'
import { mail } from './mail.ts'
import { receive } from './receive.ts'
import { search } from './search.ts'
import { zoneLog } from './zone-log.ts'

const FIGURES = {
  detection,
  lives,
  inboxes,
  lists,
  handler,
  crowd,
  active,
  dns,
  mail,
  receive,
  search,
  'zone-log': zoneLog,
}
const LIMIT_MS = 20 * 60_000

Client.checksAnswers = false

const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.on(name, () => stop.abort(new Error('Interrupted.')))
const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(LIMIT_MS)])

const { values, positionals: chosen } = parseArgs({
  options: { write: { type: 'boolean' } },
  allowPositionals: true,
})
const unknown = chosen.filter((name) => !Object.hasOwn(FIGURES, name))
try {
  if (unknown.length > 0)
    throw new Error(
      `There is no ${unknown.join(', ')}; there is ${Object.keys(FIGURES).join(', ')}.`,
    )
  for (const [name, measure] of Object.entries(FIGURES)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue
    await measure(signal)
    const figures = takeFigures()
    if (values.write) await writeFigures(name, figures)
  }
} catch (error) {
  process.exitCode = 1
  console.error(error instanceof Error ? error.message : error)
}
