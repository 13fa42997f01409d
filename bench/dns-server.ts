/**
 * Our nameserver alone, in its own process: `dns-server.ts ZONES SOCKETS BUSY`. Prints its address on
 * one line.
 */

import type { SocketsChoice } from '#servers/dns/threads/threads.ts'
import type { ZoneFeed } from '#servers/nameserver.ts'
import type { ServedName } from '#servers/served-name.ts'
import { startNameserverRole } from '../test/nameserver-role.ts'
import { benchZone } from './dns-zones.ts'

const [zones = '1', sockets = 'auto', busy = ''] = process.argv.slice(2)
const BUSY_MS = 300
const BUSY_EVERY_MS = 500

const PAGE = 1000
const all = Array.from({ length: Number(zones) }, (_, i) => String(i).padStart(7, '0'))
const feed: ZoneFeed = {
  changed: async (mark, { after }) => ({
    names: mark === '0' ? all.slice(after === '' ? 0 : Number(after) + 1).slice(0, PAGE) : [],
    mark: '1',
    database: 'bench',
  }),
  read: async (numbers) =>
    numbers.map((number): ServedName => {
      const zone = benchZone(Number(number))
      return { name: zone.apex.slice(0, -1), zone, waiting: [] }
    }),
  onChange: () => ({ [Symbol.dispose]: () => {} }),
  wake: async () => {},
}
const nameserver = await startNameserverRole(feed, {
  sockets: sockets as SocketsChoice,
  udpThreads: 1,
})
if (busy)
  setInterval(() => {
    const until = performance.now() + BUSY_MS
    while (performance.now() < until);
  }, BUSY_EVERY_MS)
console.log(JSON.stringify({ port: nameserver.listeners[0]!.port }))
