/** What old, broken and hostile servers do with a question, and what is made of it. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import packet, { type DecodedPacket } from 'dns-packet'
import { exchange, NoAnswer, type Transport } from './exchange.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

const ADDRESS = '127.0.0.74'
/** Long enough that its letters are never all in lower case by chance. */
const NAME = 'a-name-of-so-many-letters.that-their-case.is-hard-to-guess.test'
const [FORMERR, SERVFAIL, NOTIMP, REFUSED] = [1, 2, 4, 5]

/** The datagrams that a question is answered with; none for silence. */
type OverUdp = (query: Query) => Buffer[]
/** What is written to a connection in answer to a question; it is closed then, unless told. */
type OverTcp = { write: (query: Query) => Buffer[]; staysOpen?: boolean }
type Query = DecodedPacket & { hasEdns: boolean }
type Script = { udp: OverUdp; tcp?: OverTcp | undefined }

type Said = {
  rcode?: number
  tc?: boolean
  name?: string
  id?: number
  extended?: number
  isQuery?: boolean
  answer?: string
  noQuestion?: boolean
}

function reply(query: Query, said: Said = {}): Buffer {
  const { rcode = 0, tc = false, extended = 0 } = said
  const question = query.questions![0]!
  const name = said.name ?? question.name
  const answers = said.answer ? [{ type: 'A' as const, name, ttl: 60, data: said.answer }] : []
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode: extended,
    flags: 0,
    options: [],
  }
  return packet.encode({
    type: said.isQuery ? 'query' : 'response',
    id: said.id ?? query.id!,
    flags: rcode | packet.AUTHORITATIVE_ANSWER | (tc ? packet.TRUNCATED_RESPONSE : 0),
    questions: said.noQuestion ? [] : [{ ...question, name }],
    answers,
    additionals: (extended > 0 ? [opt] : []) as never,
  })
}

const framed = (message: Buffer, length = message.length): Buffer =>
  Buffer.concat([Buffer.from([length >> 8, length & 255]), message])

function read(message: Buffer): Query {
  const query = packet.decode(message)
  return { ...query, hasEdns: (query.additionals ?? []).some(({ type }) => type === 'OPT') }
}

/** Both transports on one port; `log` has how each question came. */
async function serve({ udp, tcp }: Script, stack: AsyncDisposableStack) {
  const log: string[] = []
  const noted = (query: Query, transport: Transport) => {
    log.push(`${transport} ${query.hasEdns ? 'edns' : 'plain'}`)
    return query
  }
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => {
    const query = noted(read(message), 'udp')
    for (const each of udp(query)) socket.send(each, from.port, from.address)
  })
  await once(socket.bind(0, ADDRESS), 'listening')
  stack.defer(() => new Promise((resolve) => socket.close(() => resolve())))
  const { port } = socket.address()
  if (tcp) await serveTcp(tcp, port, noted, stack)
  return { log, server: { address: ADDRESS, port } }
}

async function serveTcp(
  tcp: OverTcp,
  port: number,
  noted: (query: Query, transport: Transport) => Query,
  stack: AsyncDisposableStack,
) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.on('data', async (chunk) => {
      for (const each of tcp.write(noted(read(chunk.subarray(2)), 'tcp'))) {
        socket.write(each)
        await new Promise((resolve) => setImmediate(resolve))
      }
      if (!tcp.staysOpen) socket.end()
    })
  })
  await once(server.listen(port, ADDRESS), 'listening')
  stack.defer(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
}

async function ask(script: Script, transport: Transport = 'udp') {
  await using stack = new AsyncDisposableStack()
  const { log, server } = await serve(script, stack)
  const question = { name: NAME, type: 'A' as const, recursive: false }
  const said = await exchange(server, question, transport, AbortSignal.timeout(20_000)).then(
    ({ rcode, answers }) => [rcode, ...answers.map(({ data }) => data)].join(' '),
    (error: unknown) => (error instanceof NoAnswer ? error.outcome : Promise.reject(error)),
  )
  return [said, ...log]
}

const GOOD = { answer: '192.0.2.1' }
const BAD = { answer: '192.0.2.66' }
const SEEN = 'NOERROR 192.0.2.1'
const good: OverUdp = (query) => [reply(query, GOOD)]
const goodTcp: OverTcp = { write: (query) => [framed(reply(query, GOOD))] }
/** Until it is asked without EDNS. */
const against =
  (said: Said): OverUdp =>
  (query) => [reply(query, query.hasEdns ? said : GOOD)]
const lowered = (query: Query) => ({ ...GOOD, name: query.questions![0]!.name.toLowerCase() })
const cutShort: OverUdp = (query) => [reply(query, { tc: true })]

// biome-ignore format: a table
const ANSWERED: [what: string, script: Script, said: string, log: string[]][] = [
  ['an answer',                                          { udp: good },                                          SEEN,       ['udp edns']],
  ['FORMERR to EDNS',                                    { udp: against({ rcode: FORMERR }) },                   SEEN,       ['udp edns', 'udp plain']],
  ['FORMERR that repeats no question',                   { udp: against({ rcode: FORMERR, noQuestion: true }) }, SEEN,       ['udp edns', 'udp plain']],
  ['NOTIMP to EDNS',                                     { udp: against({ rcode: NOTIMP }) },                    SEEN,       ['udp edns', 'udp plain']],
  ['BADVERS to version 0',                               { udp: against({ extended: 1 }) },                      SEEN,       ['udp edns', 'udp plain']],
  ['FORMERR without EDNS, too',                          { udp: (query) => [reply(query, { rcode: FORMERR })] }, 'FORMERR',  ['udp edns', 'udp plain']],
  ['SERVFAIL, which is no word on EDNS',                 { udp: (query) => [reply(query, { rcode: SERVFAIL })] }, 'SERVFAIL', ['udp edns']],
  ['a refusal',                                          { udp: (query) => [reply(query, { rcode: REFUSED })] }, 'REFUSED',  ['udp edns']],
  ['an answer that was cut short',                       { udp: cutShort, tcp: goodTcp },                        SEEN,       ['udp edns', 'tcp edns']],
  ['an answer that was cut short, and no TCP',           { udp: cutShort },                                      'unreachable', ['udp edns']],
  ['FORMERR, then an answer cut short',                  { udp: (query) => [reply(query, query.hasEdns ? { rcode: FORMERR } : { tc: true })], tcp: goodTcp }, SEEN, ['udp edns', 'udp plain', 'tcp plain']],
  ['FORMERR over TCP',                                   { udp: cutShort, tcp: { write: (query) => [framed(reply(query, query.hasEdns ? { rcode: FORMERR } : GOOD))] } }, SEEN, ['udp edns', 'tcp edns', 'tcp plain']],
  ['the question in another case',                       { udp: (query) => [reply(query, lowered(query))], tcp: goodTcp }, SEEN, ['udp edns', 'tcp edns']],
  ['the question in another case over TCP, too',         { udp: (query) => [reply(query, lowered(query))], tcp: { write: (query) => [framed(reply(query, lowered(query)))] } }, SEEN, ['udp edns', 'tcp edns']],
  ['another id first',                                   { udp: (query) => [reply(query, { ...BAD, id: query.id! ^ 1 }), ...good(query)] }, SEEN, ['udp edns']],
  ['an answer to another question first',                { udp: (query) => [reply(query, { ...BAD, name: 'other.test' }), ...good(query)] }, SEEN, ['udp edns']],
  ['our question back, then an answer',                  { udp: (query) => [reply(query, { isQuery: true }), ...good(query)] }, SEEN, ['udp edns']],
  ['an answer without a question first',                 { udp: (query) => [reply(query, { ...BAD, noQuestion: true }), ...good(query)] }, SEEN, ['udp edns']],
  ['what is no message, then an answer',                 { udp: (query) => [Buffer.from('no'), Buffer.alloc(0), Buffer.alloc(600, 255), ...good(query)] }, SEEN, ['udp edns']],
]

for (const [what, script, said, log] of ANSWERED) {
  test(`over UDP: ${what}`, async () => {
    assert.deepEqual(await ask(script), [said, ...log])
  })
}

const silent: OverUdp = () => []
const answer = (query: Query) => framed(reply(query, GOOD))
const octets = (message: Buffer): Buffer[] => [...message].map((octet) => Buffer.from([octet]))

// biome-ignore format: a table
const STREAMS: [what: string, tcp: OverTcp | undefined, said: string, tries: number][] = [
  ['an answer',                                       goodTcp,                                                              SEEN,          1],
  ['an answer octet by octet',                        { write: (query) => octets(answer(query)) },                         SEEN,          1],
  ['a connection that stays open',                    { write: (query) => [answer(query)], staysOpen: true },              SEEN,          1],
  ['an answer to another question first',             { write: (query) => [Buffer.concat([framed(reply(query, { ...BAD, id: query.id! ^ 1 })), answer(query)])] }, SEEN, 1],
  ['an empty message first',                          { write: (query) => [Buffer.from([0, 0]), answer(query)] },          SEEN,          1],
  ['a length shorter than the message, closed then',  { write: (query) => [framed(reply(query, GOOD), 20)] },              'unreachable', 2],
  ['a length longer than the message, closed then',   { write: (query) => [framed(reply(query, GOOD), 9000)] },            'unreachable', 2],
  ['closed without a word',                           { write: () => [] },                                                 'unreachable', 2],
  ['no TCP',                                          undefined,                                                           'unreachable', 0],
]

for (const [what, tcp, said, tries] of STREAMS) {
  test(`over TCP: ${what}`, async () => {
    const log = Array.from({ length: tries }, () => 'tcp edns')
    assert.deepEqual(await ask({ udp: silent, tcp }, 'tcp'), [said, ...log])
  })
}

test('a connection that is closed early once is opened again', async () => {
  let asked = 0
  const write = (query: Query) => (++asked === 1 ? [] : [answer(query)])
  assert.deepEqual(await ask({ udp: silent, tcp: { write } }, 'tcp'), [
    SEEN,
    'tcp edns',
    'tcp edns',
  ])
})

test('what another address says is not heard', async () => {
  await using stack = new AsyncDisposableStack()
  const stranger = createSocket('udp4')
  await once(stranger.bind(0, '127.0.0.75'), 'listening')
  stack.defer(() => new Promise((resolve) => stranger.close(() => resolve())))
  const server = createSocket('udp4')
  server.on('message', (message, from) => {
    const query = read(message)
    stranger.send(reply(query, BAD), from.port, from.address, () =>
      server.send(reply(query, GOOD), from.port, from.address),
    )
  })
  await once(server.bind(0, ADDRESS), 'listening')
  stack.defer(() => new Promise((resolve) => server.close(() => resolve())))
  const endpoint = { address: ADDRESS, port: server.address().port }
  const question = { name: NAME, type: 'A' as const, recursive: false }
  const { answers } = await exchange(endpoint, question, 'udp', AbortSignal.timeout(20_000))
  assert.deepEqual(
    answers.map(({ data }) => data),
    ['192.0.2.1'],
  )
})

test('a server that drops whatever has EDNS in it is asked without at last', async () => {
  const script = { udp: (query: Query) => (query.hasEdns ? [] : good(query)) }
  assert.deepEqual(await ask(script), [SEEN, 'udp edns', 'udp edns', 'udp plain'])
})

test('each message waits for its turn', async () => {
  await using stack = new AsyncDisposableStack()
  const { log, server } = await serve({ udp: against({ rcode: FORMERR }) }, stack)
  const question = { name: NAME, type: 'A' as const, recursive: false }
  let turns = 0
  const turn = async () => void turns++
  await exchange(server, question, 'udp', AbortSignal.timeout(20_000), turn)
  assert.equal(turns, log.length)
})
