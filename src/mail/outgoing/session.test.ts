/** What is known of a message when its session ends. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { Session } from './session.ts'

/** A host that answers as usual, but to these commands and to the final dot as it is told; `end` closes. */
async function host(answers: Readonly<Record<string, string>>) {
  const heard: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    const say = (line: string) => (line === 'end' ? socket.destroy() : socket.write(`${line}\r\n`))
    let isData = false
    say('220 mx.lead.example')
    createInterface({ input: socket }).on('line', (line) => {
      heard.push(line)
      if (isData && line !== '.') return
      const command = isData ? '.' : line.slice(0, 4).toUpperCase()
      isData = command === 'DATA' && !answers[command]
      say(answers[command] ?? (isData ? '354 go on' : '250 2.0.0 ok'))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const peer = {
    host: '127.0.0.1',
    port,
    name: 'mx.lead.example',
    secure: false,
    credentials: undefined,
    localAddress: undefined,
    mustBeVerified: false,
  }
  return { peer, heard, [Symbol.dispose]: () => server.close() }
}

const RAW = Buffer.from('Subject: x\r\n\r\nbody\r\n')

async function handed(answers: Readonly<Record<string, string>>, onData?: () => Promise<void>) {
  using there = await host(answers)
  const session = new Session(there.peer, 'mx.product.example')
  const delivery = { envelopeSender: 'kim@acme.example', recipient: 'ann@lead.example', raw: RAW }
  const result = await session.hand({ ...delivery, onData }, AbortSignal.timeout(10_000))
  session.close()
  return { ...result, heard: there.heard }
}

// biome-ignore format: a table
const ENDS: [what: string, answers: Record<string, string>, is: string, isUnanswered: boolean][] = [
  ['taken',                                     {},                                  'sent',     false],
  ['refused at the end',                        { '.': '554 5.7.1 no' },             'failed',   false],
  ['put off at the end',                        { '.': '451 4.3.0 later' },          'deferred', false],
  ['put off at the end, with the session',      { '.': '421 4.3.2 closing' },        'deferred', false],
  ['read, and then there was nobody any more',  { '.': 'end' },                      'deferred', true],
  ['put off before',                            { RCPT: '450 4.2.0 later' },         'deferred', false],
  ['never read',                                { DATA: 'end' },                     'deferred', false],
]

for (const [what, answers, is, isUnanswered] of ENDS) {
  test(`a message that was ${what}`, async () => {
    const result = await handed(answers)
    assert.deepEqual([result.is, result.isUnanswered], [is, isUnanswered], result.reply)
  })
}

test('who notes a message before it leaves does so before a line of it is sent', async () => {
  using there = await host({})
  const session = new Session(there.peer, 'mx.product.example')
  const onData = async () => assert.fail('the database is away')
  const delivery = { envelopeSender: 'kim@acme.example', recipient: 'ann@lead.example', raw: RAW }
  const handing = session.hand({ ...delivery, onData }, AbortSignal.timeout(10_000))
  await assert.rejects(handing, /the database is away/)
  assert.equal(session.isOver, true)
  assert.ok(there.heard.includes('DATA'))
  assert.ok(!there.heard.some((line) => line.startsWith('Subject')))
  let noted = 0
  const result = await handed({}, async () => void noted++)
  assert.deepEqual([result.is, noted], ['sent', 1])
  await handed({ RCPT: '550 5.1.1 no' }, async () => void noted++)
  assert.equal(noted, 1)
})
