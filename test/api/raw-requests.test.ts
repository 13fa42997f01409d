/**
 * Requests as octets, most of them malformed: test/corpora/requests holds one a file, whose name
 * begins with the status it deserves. Lines end in CRLF on the wire, `{key}` is a good API key.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { testHouse } from '../house.ts'
import { troubleIn } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const CORPUS = new URL('../corpora/requests/', import.meta.url)
const LIMIT_MS = 5000

/** What the server says until it closes the connection, or to the end of the first answer's body. */
async function exchange(request: string): Promise<string> {
  const { hostname, port } = new URL(house.house.api!)
  const socket = connect(Number(port), hostname)
  socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error('no answer')))
  await once(socket, 'connect')
  let said = ''
  socket.write(request)
  for await (const chunk of socket) {
    said += chunk
    const { head, body } = parts(said)
    const length = /^content-length: (\d+)/im.exec(head)?.[1]
    if (request.startsWith('HEAD') || body.length >= Number(length ?? 'Infinity')) break
  }
  return said
}

function parts(said: string) {
  const [head = '', ...body] = said.split('\r\n\r\n')
  return { head, body: body.join('\r\n\r\n') }
}

for (const file of readdirSync(CORPUS)) {
  test(`${file.slice(4, -5).replaceAll('-', ' ')} → ${file.slice(0, 3)}`, async () => {
    const written = readFileSync(new URL(file, CORPUS), 'utf8')
    const request = written.replaceAll('\n', '\r\n').replace('{key}', house.client.key!)
    const { head, body } = parts(await exchange(request))
    assert.equal(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1], file.slice(0, 3), head)
    if (body === '' || body === '0\r\n\r\n') return
    assert.match(head, /^content-type: application\/json/im)
    const answer = JSON.parse(body)
    if (file.startsWith('2')) return assert.equal(answer.success, true)
    assert.equal(typeof answer.detail, 'string', 'every error has its detail')
    assert.match(answer.error, /^[a-z_]+$/, 'and a stable code beside it')
    assert.match(head, /^x-request-id: \S+/im, 'and every answer its request id')
  })
}

test('after all these, nothing is stored and nothing was our fault', async () => {
  assert.equal((await house.client.get('/domains')).body.pagination.total, 0)
  assert.deepEqual(troubleIn(house.logLines), [])
})

test('no answer allows pages of other origins to read it', async () => {
  for (const request of ['GET', 'OPTIONS']) {
    const { headers } = await house.client.request(request, '/api/public/v1/domains', undefined, {
      origin: 'https://evil.example',
    })
    assert.equal(headers.get('access-control-allow-origin'), null)
  }
})
