/**
 * Our nameserver with its own log of zones: `dns-held.ts PATH write ZONES` writes one, `dns-held.ts PATH
 * start` starts from it, and prints when it listened and its memory on one line.
 */

import { startNameserver } from '#servers/nameserver.ts'
import { encodeName, PAYLOAD_FORMAT } from '#servers/served-name.ts'
import { ZoneLog } from '#servers/zone-log/zone-log.ts'
import { benchZone } from './dns-zones.ts'

const [path, act, zones] = process.argv.slice(2) as [string, 'write' | 'start', string]
const FIRST = 10_000_000
const PAGE = 1000

const onError = (error: unknown) => {
  throw error
}
await using log = new ZoneLog({ path, meta: PAYLOAD_FORMAT, now: () => Date.now(), onError })

async function write(): Promise<void> {
  await log.open(() => {})
  const zone = benchZone(FIRST)
  const { payload } = encodeName({ name: zone.apex.slice(0, -1), zone, waiting: [] }, onError)
  const likeIt = copiesOf(Buffer.from(payload!))
  for (let first = 0; first < Number(zones); first += PAGE) {
    const numbers = Array.from(
      { length: Math.min(PAGE, Number(zones) - first) },
      (_, i) => first + i,
    )
    await log.append(numbers.map((number) => likeIt(FIRST + number)))
  }
  await log.complete({ mark: '1', database: 'bench' })
}

/** All zones are copies of the first with another number in its name. */
function copiesOf(payload: Buffer) {
  const places: number[] = []
  for (let at = payload.indexOf(`${FIRST}`); at !== -1; at = payload.indexOf(`${FIRST}`, at + 1)) {
    places.push(at)
  }
  return (number: number): [string, Uint8Array] => {
    const copy = Buffer.from(payload)
    for (const at of places) copy.write(String(number), at, 'latin1')
    return [`zone${number}.bench.test`, copy]
  }
}

async function start(): Promise<void> {
  await using nameserver = await startNameserver({
    listen: [{ address: '127.0.0.1', port: 0 }],
    platform: [],
    log,
    onError,
  })
  if (nameserver.listeners.length === 0) throw new Error('It does not listen.')
  const seconds = performance.now() / 1000
  const { user, system } = process.cpuUsage()
  globalThis.gc?.()
  const rssOctets = process.memoryUsage.rss()
  console.log(
    JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, rssOctets, zones: log.size }),
  )
}

await (act === 'write' ? write() : start())
