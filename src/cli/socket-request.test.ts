import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '../../test/directories.ts'
import { requestOverSocket } from './socket-request.ts'

/** Posts to a socket where this is said to whoever connects. */
async function posted(answer: (socket: Socket) => void, limitMs = 10_000) {
  await using directory = await temporaryDirectory()
  const socketPath = join(directory.path, 'admin.sock')
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => answer(socket))
  })
  await once(server.listen(socketPath), 'listening')
  try {
    return await requestOverSocket({
      socketPath,
      method: 'POST',
      path: '/keys',
      content: {},
      limitMs,
    })
  } finally {
    server.close()
  }
}

const saying = (body: string) => (socket: Socket) =>
  void socket.end(`HTTP/1.1 201 Created\r\nContent-Length: ${body.length}\r\n\r\n${body}`)

test('an answer is its status and its JSON', async () => {
  assert.deepEqual(await posted(saying('{"key":"x"}')), { status: 201, body: { key: 'x' } })
})

// biome-ignore format: a table
const UNANSWERED: [what: string, answer: (socket: Socket) => void, limitMs: number, sentence: RegExp][] = [
  ['silence',                        () => undefined,                             50,     /^Mailstead does not answer at .+admin\.sock in time\.$/],
  ['half an answer, then silence',   (socket) => void socket.write('HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{'), 50, /^Mailstead does not answer/],
  ['what is no JSON',                saying('<html>'),                            10_000, /^The server at .+admin\.sock does not answer as Mailstead does\.$/],
  ['what is no HTTP',                (socket) => void socket.end('220 smtp\r\n'), 10_000, /does not answer as Mailstead does/],
  ['a connection that is cut',       (socket) => void socket.destroy(),           10_000, /does not answer as Mailstead does/],
]

for (const [what, answer, limitMs, sentence] of UNANSWERED) {
  test(`told in a sentence: ${what}`, async () => {
    await assert.rejects(posted(answer, limitMs), { message: sentence })
  })
}

test('told in a sentence: nothing runs there', async () => {
  const nowhere = {
    socketPath: '/nonexistent/admin.sock',
    method: 'GET' as const,
    path: '/keys',
    content: {},
    limitMs: 1000,
  }
  await assert.rejects(requestOverSocket(nowhere), {
    message: 'Mailstead does not run here: no process listens at /nonexistent/admin.sock.',
  })
})
