import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import type { Received } from '#mail/incoming/receive.ts'
import { ensureCertificate } from '#runtime/data-directory.ts'
import { until } from '../../../test/client.ts'
import { temporaryDirectory } from '../../../test/directories.ts'
import { sendMail } from '../../../test/smtp.ts'
import { listenInbound } from './inbound.ts'
import type { ListenerLimits } from './listener.ts'

const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
const tls = await ensureCertificate(directory.path, 'mx.product.example')

const KEPT: Received = { is: 'kept', isJudged: true }
const RECIPIENTS = ['kim@acme.example']
const LETTER = `Subject: x\r\n\r\n${'a line of text\r\n'.repeat(3000)}`

/** A server whose deliveries end when they are let. */
async function listen(limits: Partial<ListenerLimits>, address = '127.0.0.1') {
  const waiting: ((received: Received) => void)[] = []
  const server = await listenInbound({
    address,
    port: 0,
    host: 'mx.product.example',
    tls,
    limits,
    recipient: async () => ({ is: 'accepted' }),
    receive: () => new Promise((resolve) => waiting.push(resolve)),
    onError: assert.fail,
  })
  return {
    at: `127.0.0.1:${server.port}`,
    waiting,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

test('mail beyond what may be held at once is put off, and taken when there is room', async () => {
  await using server = await listen({ octetsUnderWay: 3 * LETTER.length })
  const first = sendMail(server.at, RECIPIENTS, LETTER)
  await until(
    async () => server.waiting.length,
    (count) => count === 1,
  )
  assert.equal(await sendMail(server.at, RECIPIENTS, LETTER), 452)
  const small = sendMail(server.at, RECIPIENTS, 'Subject: y\r\n\r\nbody\r\n')
  await until(
    async () => server.waiting.length,
    (count) => count === 2,
  )
  for (const end of server.waiting.splice(0)) end(KEPT)
  assert.deepEqual(await Promise.all([first, small]), [250, 250])

  const again = sendMail(server.at, RECIPIENTS, LETTER)
  await until(
    async () => server.waiting.length,
    (count) => count === 1,
  )
  server.waiting[0]!(KEPT)
  assert.equal(await again, 250)
})

/** A connection that has been greeted, and the code of the greeting; 0 where it was closed. */
async function greeting(at: string, from = '127.0.0.1') {
  const [host, port] = at.split(':')
  const socket = connect({ port: Number(port), host: host!, localAddress: from })
  const lines = createInterface({ input: socket })
  const closed = once(socket, 'close')
  socket.on('error', () => {})
  const line = await Promise.race([once(lines, 'line'), closed.then(() => ['000'])])
  return { socket, closed, code: Number(String(line[0]).slice(0, 3)) }
}

test('where all places are taken, the prefix with the most gives up the one that is idle longest', async () => {
  await using server = await listen({ connections: 4 })
  const first = await greeting(server.at)
  const second = await greeting(server.at)
  const others = [await greeting(server.at), await greeting(server.at, '127.0.1.1')]
  const newcomer = await greeting(server.at, '127.0.2.1')
  assert.equal(newcomer.code, 220)
  await first.closed
  assert.equal(second.socket.destroyed, false)
  for (const { socket } of [second, ...others, newcomer]) socket.destroy()
})

for (const address of ['127.0.0.1', '::'])
  test(`a client that does not come to the point, or sends too slowly, loses its place at ${address}`, () =>
    losesItsPlace(address))

async function losesItsPlace(address: string) {
  await using server = await listen({ untilDataMs: 1000, rateGraceMs: 500 }, address)
  const silent = await greeting(server.at)
  assert.equal(silent.code, 220)
  await silent.closed

  const slow = await greeting(server.at)
  const commands = [
    'EHLO x.example',
    'MAIL FROM:<a@b.example>',
    `RCPT TO:<${RECIPIENTS[0]}>`,
    'DATA',
  ]
  for (const command of commands) {
    slow.socket.write(`${command}\r\n`)
    await once(slow.socket, 'data')
  }
  const dripping = setInterval(() => slow.socket.write('x'), 100)
  await slow.closed
  clearInterval(dripping)
}

test('half of the room is the most that one prefix has', async () => {
  await using server = await listen({ octetsUnderWay: 2.5 * LETTER.length })
  const first = sendMail(server.at, RECIPIENTS, LETTER)
  await until(
    async () => server.waiting.length,
    (count) => count === 1,
  )
  assert.equal(await sendMail(server.at, RECIPIENTS, LETTER), 452)
  server.waiting[0]!(KEPT)
  assert.equal(await first, 250)
})

test('parameters that are not known are refused, not ignored', async () => {
  await using server = await listen({})
  const replies = async (...commands: string[]) => {
    const { socket } = await greeting(server.at)
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
    const codes: number[] = []
    for (const command of ['HELO x.example', ...commands]) {
      socket.write(`${command}\r\n`)
      codes.push(Number(String((await lines.next()).value).slice(0, 3)))
    }
    socket.destroy()
    return codes.slice(1)
  }
  const [mail, rcpt] = ['MAIL FROM:<a@b.example>', `RCPT TO:<${RECIPIENTS[0]}>`]
  assert.deepEqual(await replies(`${mail} BODY=8BITMIME SIZE=10 SMTPUTF8`, rcpt), [250, 250])
  assert.deepEqual(await replies(`${mail} FOO=bar`), [555])
  assert.deepEqual(await replies(`${mail} RET=HDRS`), [555])
  assert.deepEqual(await replies(mail, `${rcpt} NOTIFY=SUCCESS`), [250, 555])
  assert.deepEqual(await replies(mail, `${rcpt} X=1`), [250, 555])
  assert.deepEqual(await replies(`${mail} SIZE=99999999999`), [552])
})
