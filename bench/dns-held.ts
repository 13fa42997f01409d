/** A store alone, with as many zones as `dns-held.ts ZONES` says, put as blobs as a start from disk does. Says on one line what they take. */
import { encodeZone } from '#servers/dns/store/encode.ts'
import { ZoneStore } from '#servers/dns/store/store.ts'
import { benchZone } from './dns-zones.ts'

const zones = Number(process.argv[2])
const FIRST = 10_000_000

// All zones are this one with another number in its name, wherever that stands.
const blob = Buffer.from(encodeZone(benchZone(FIRST)).blob)
const places: number[] = []
for (let at = blob.indexOf(String(FIRST)); at !== -1; at = blob.indexOf(String(FIRST), at + 1)) {
  places.push(at)
}
const store = new ZoneStore()
const startedAt = performance.now()
const before = process.cpuUsage()
for (let i = 0; i < zones; i++) {
  for (const at of places) blob.write(String(FIRST + i), at, 'latin1')
  store.put(blob)
}
const { user, system } = process.cpuUsage(before)
globalThis.gc?.()
console.log(
  JSON.stringify({
    names: store.size,
    octetsAZone: blob.length,
    rssOctets: process.memoryUsage.rss(),
    seconds: (performance.now() - startedAt) / 1000,
    cpuSeconds: (user + system) / 1e6,
  }),
)
