/**
 * Requests one URL repeatedly on several connections, and reports the answers a second. Its own process,
 * with plain HTTP over sockets, to leave CPU time to the measured server.
 */
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const CONNECTIONS = 16
const WARM_UP_MS = 1000
const MEASURED_MS = 4000

const [url, key] = process.argv.slice(2)
const { hostname, port, pathname, host } = new URL(url!)
const request = `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nX-Api-Key: ${key}\r\n\r\n`
let answered = 0

for (let count = 0; count < CONNECTIONS; count++) askForEver()
await delay(WARM_UP_MS)
const before = answered
const began = performance.now()
await delay(MEASURED_MS)
process.send!(((answered - before) * 1000) / (performance.now() - began))
process.exit()

/** One request at a time, so any data belongs to the last answer. */
function askForEver(): void {
  const socket = connect(Number(port), hostname, () => socket.write(request))
  let received = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    received += chunk
    if (!isWhole(received)) return
    if (!received.startsWith('HTTP/1.1 200 ')) throw new Error(received)
    answered++
    received = ''
    socket.write(request)
  })
}

function isWhole(received: string): boolean {
  const headEnd = received.indexOf('\r\n\r\n')
  const length = /^content-length: *(\d+)/im.exec(received)?.[1]
  return headEnd >= 0 && received.length >= headEnd + 4 + Number(length)
}
