import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { keptCertificate } from '#house/keepsakes.ts'
import { until } from '../../../test/client.ts'
import { temporaryDirectory } from '../../../test/directories.ts'
import { sendMail } from '../../../test/smtp.ts'
import { type InboundLimits, listenInbound } from './inbound.ts'

const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
const tls = await keptCertificate(directory.path, 'mx.product.example')

const RECIPIENTS = ['kim@acme.example']
const LETTER = `Subject: x\r\n\r\n${'a line of text\r\n'.repeat(3000)}`

/** A server whose deliveries end when they are let. */
async function listen(limits: Partial<InboundLimits>) {
  const waiting: (() => void)[] = []
  const server = await listenInbound({
    address: '127.0.0.1',
    port: 0,
    host: 'mx.product.example',
    tls,
    limits,
    recipient: async () => ({ is: 'accepted' }),
    deliver: () => new Promise((resolve) => waiting.push(resolve)),
    onError: assert.fail,
  })
  return {
    at: `${server.address}:${server.port}`,
    waiting,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

test('mail beyond what may be held at once is put off, and taken when there is room', async () => {
  await using server = await listen({ octetsUnderWay: 1.5 * LETTER.length })
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
  for (const end of server.waiting.splice(0)) end()
  assert.deepEqual(await Promise.all([first, small]), [250, 250])

  const again = sendMail(server.at, RECIPIENTS, LETTER)
  await until(
    async () => server.waiting.length,
    (count) => count === 1,
  )
  server.waiting[0]!()
  assert.equal(await again, 250)
})

test('an address has so many connections at once, and room again when one ends', async () => {
  await using server = await listen({ clientsPerAddress: 3 })
  const greeting = async () => {
    const [host, port] = server.at.split(':')
    const socket = connect(Number(port), host)
    const [line] = await once(createInterface({ input: socket }), 'line')
    return { socket, code: Number(line.slice(0, 3)) }
  }
  const clients = [await greeting(), await greeting(), await greeting()]
  assert.deepEqual(
    clients.map(({ code }) => code),
    [220, 220, 220],
  )
  const { code, socket } = await greeting()
  assert.equal(code, 421)
  socket.destroy()
  clients.pop()!.socket.destroy()
  const again = await until(greeting, (each) => {
    if (each.code !== 220) each.socket.destroy()
    return each.code === 220
  })
  for (const each of [...clients, again]) each.socket.destroy()
})
