/** Our nameserver alone, in a process of its own: `dns-server.ts ZONES SOCKETS BUSY`. Says on one line where. */

import type { SocketsChoice } from '#servers/dns/threads/threads.ts'
import { type FedName, startNameserver } from '#servers/nameserver.ts'
import { benchZone } from './dns-zones.ts'

const [zones = '1', sockets = 'auto', busy = ''] = process.argv.slice(2)
const BUSY_MS = 300
const BUSY_EVERY_MS = 500

const nameserver = await startNameserver({
  listen: [{ address: '127.0.0.1', port: 0 }],
  platform: [],
  sockets: sockets as SocketsChoice,
  udpThreads: 1,
  onError: console.error,
  feed: {
    changed: async (mark) => ({
      names: mark === '0' ? Array.from({ length: Number(zones) }, (_, i) => String(i)) : [],
      mark: '1',
    }),
    read: async (numbers) =>
      numbers.map((number): FedName => {
        const zone = benchZone(Number(number))
        return { name: zone.apex.slice(0, -1), zone, waiting: [] }
      }),
    onChange: () => ({ [Symbol.dispose]: () => {} }),
    wake: async () => {},
  },
})
if (busy)
  setInterval(() => {
    const until = performance.now() + BUSY_MS
    while (performance.now() < until);
  }, BUSY_EVERY_MS)
console.log(JSON.stringify({ port: nameserver.listeners[0]!.port }))
