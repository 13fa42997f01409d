/** Takes all mail and keeps none: `mail-sink.ts`. Says its port on one line, and the messages so far on others. */
import { type AddressInfo, createServer } from 'node:net'

const END = Buffer.from('\r\n.\r\n')
const TOLD_EVERY_MS = 50
let messages = 0

const server = createServer((socket) => {
  let isData = false
  let rest: Buffer = Buffer.alloc(0)
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.write('220 sink ESMTP\r\n')
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let replies = ''
    for (;;) {
      const end = rest.indexOf(isData ? END : '\r\n')
      if (end === -1) break
      if (isData) {
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
      } else if (command === 'EHLO') replies += '250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n'
      else replies += command === 'QUIT' ? '221 bye\r\n' : '250 2.0.0 ok\r\n'
    }
    if (replies !== '') socket.write(replies)
  })
})
server.listen(0, '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port)
  let told = 0
  setInterval(() => {
    if (messages !== told) console.log(messages)
    told = messages
  }, TOLD_EVERY_MS)
})
