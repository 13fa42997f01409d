import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { listenRedirects } from './listen.ts'
import type { Redirect } from './location.ts'

const REDIRECT: Redirect = {
  targetDomain: 'company.example',
  statusCode: 308,
  preservePath: true,
  preserveQueryString: true,
}
const open = () =>
  listenRedirects({
    listen: { address: '127.0.0.1', port: 0 },
    find: (host) => (host === 'acme.test' ? REDIRECT : undefined),
    onError: (error) => assert.fail(String(error)),
  })
const server = await open()
after(() => server[Symbol.asyncDispose]())

/** Everything that comes until the other side ends. */
async function untilEnd(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => undefined)
  await once(socket, 'close')
  return text
}
const say = (text: string, port = server.port): Promise<string> => {
  const socket = connect(port, '127.0.0.1')
  socket.write(text)
  return untilEnd(socket)
}
const locationsIn = (text: string) =>
  [...text.matchAll(/^location: (.+)\r$/gim)].map(([, at]) => at)

test('requests on one connection are answered in their order', async () => {
  const ask = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: acme.test\r\n${more}\r\n`
  const text = await say(ask('/1') + ask('/2') + ask('/3', 'Connection: close\r\n'))
  assert.deepEqual(
    locationsIn(text),
    ['1', '2', '3'].map((path) => `https://company.example/${path}`),
  )
})

test('a body is not read as a request, and ends the connection', async () => {
  const body = 'GET /smuggled HTTP/1.1\r\nHost: acme.test\r\n\r\n'
  const head = `POST /a HTTP/1.1\r\nHost: acme.test\r\nContent-Length: ${body.length}\r\n\r\n`
  assert.deepEqual(locationsIn(await say(head + body)), ['https://company.example/a'])
  const chunked = `POST /b HTTP/1.1\r\nHost: acme.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`
  assert.deepEqual(locationsIn(await say(chunked + body)), ['https://company.example/b'])
})

test('a length and chunks at once are no request', async () => {
  const both = `POST /a HTTP/1.1\r\nHost: acme.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
  assert.match(await say(both), /^HTTP\/1\.1 400 /)
})

test('HTTP/1.0 is answered, and upgrades are not taken up', async () => {
  const old = await say('GET /a HTTP/1.0\r\nHost: acme.test\r\n\r\n')
  assert.deepEqual(locationsIn(old), ['https://company.example/a'])
  const upgrade = `GET /b HTTP/1.1\r\nHost: acme.test\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n`
  assert.match(await say(upgrade), /^HTTP\/1\.1 308 /)
})

test('a tunnel is not opened', async () => {
  const text = await say('CONNECT evil.test:443 HTTP/1.1\r\nHost: acme.test\r\n\r\n')
  assert.doesNotMatch(text, /^HTTP\/1\.1 2/)
})

test('who does not end their headers is cut off within seconds', async () => {
  const began = performance.now()
  const [silent, slow] = await Promise.all([
    untilEnd(connect(server.port, '127.0.0.1')),
    say('GET / HTTP/1.1\r\nHost: acme.test\r\nX: '),
  ])
  assert.ok(performance.now() - began < 15_000)
  for (const text of [silent, slow]) assert.deepEqual(locationsIn(text), [])
})

test('ending it ends every connection at once', async () => {
  const ending = await open()
  const idle = untilEnd(connect(ending.port, '127.0.0.1'))
  const halfway = say('GET / HTTP/1.1\r\nHost: acm', ending.port)
  await say('GET / HTTP/1.1\r\nHost: acme.test\r\nConnection: close\r\n\r\n', ending.port)
  const began = performance.now()
  await ending[Symbol.asyncDispose]()
  await Promise.all([idle, halfway])
  assert.ok(performance.now() - began < 1000)
})

test('an address that is taken stops the start', async () => {
  const listen = { address: '127.0.0.1', port: server.port }
  await assert.rejects(
    listenRedirects({ listen, find: () => undefined, onError: () => undefined }),
    { code: 'EADDRINUSE' },
  )
})
