/**
 * Takes all mail and keeps none: `mail-sink.ts [CERTIFICATE KEY]`, with STARTTLS where there is a
 * certificate. Prints its port on one line, then counts of messages. Exits at an unsigned message.
 */
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'

const END = Buffer.from('\r\n.\r\n')
const TOLD_EVERY_MS = 50
let messages = 0

const [certificate, key] = process.argv.slice(2).map((path) => readFileSync(path))
const secureContext = certificate && key && createSecureContext({ cert: certificate, key })
const EXTENSIONS = '250-sink\r\n250-PIPELINING\r\n'

const server = createServer((socket) => {
  socket.setNoDelay(true)
  socket.write('220 sink ESMTP\r\n')
  converse(socket, secureContext !== undefined)
})

function converse(socket: Socket, offersTls: boolean): void {
  let isData = false
  let rest: Buffer = Buffer.alloc(0)
  socket.on('error', () => {})
  const onData = (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let replies = ''
    for (;;) {
      const end = rest.indexOf(isData ? END : '\r\n')
      if (end === -1) break
      if (isData) {
        if (!rest.subarray(0, end).includes('DKIM-Signature:')) process.exit(1)
        messages++
        isData = false
        replies += '250 2.0.0 taken\r\n'
        rest = rest.subarray(end + END.length)
        continue
      }
      const command = rest.toString('latin1', 0, Math.min(end, 4)).toUpperCase()
      rest = rest.subarray(end + 2)
      if (command === 'DATA') {
        isData = true
        replies += '354 go on\r\n'
      } else if (command === 'EHLO')
        replies += `${EXTENSIONS}${offersTls ? '250-STARTTLS\r\n' : ''}250 8BITMIME\r\n`
      else if (command === 'STAR') {
        socket.off('data', onData)
        socket.write('220 go on\r\n')
        converse(new TLSSocket(socket, { isServer: true, secureContext: secureContext! }), false)
        return
      } else replies += command === 'QUIT' ? '221 bye\r\n' : '250 2.0.0 ok\r\n'
    }
    if (replies !== '') socket.write(replies)
  }
  socket.on('data', onData)
}
server.listen(0, '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port)
  let told = 0
  setInterval(() => {
    if (messages !== told) console.log(messages)
    told = messages
  }, TOLD_EVERY_MS)
})
