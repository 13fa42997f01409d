/** Clients and a resolver that others wrote ask our nameserver, over UDP and TCP. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { RRset } from '#drivers/zone/contract.ts'
import type { Nameserver } from '#servers/nameserver.ts'
import { EMPTY_FEED, startNameserverRole } from '../nameserver-role.ts'
import { missing } from '../needs.ts'
import { freeUdpPort } from '../ports.ts'

const run = promisify(execFile)
const without = (debian: string, program: string) =>
  missing(`${program} (Debian: ${debian})`, () => existsSync(program)) ?? false

const rrset = (name: string, type: RRset['type'], ...data: string[]): RRset => ({
  name,
  type,
  ttl: 60,
  data,
})
const LONG = 'x'.repeat(1500)

function start(): Promise<Nameserver> {
  return startNameserverRole(EMPTY_FEED, {
    platform: [
      {
        apex: 'acme.test.',
        nameservers: ['ns1.acme.test.', 'ns2.acme.test.'],
        serial: 1,
        rrsets: [
          rrset('ns1.acme.test.', 'A', '127.0.0.1'),
          rrset('ns2.acme.test.', 'A', '127.0.0.1'),
          rrset('acme.test.', 'MX', '10 mx.acme.test.'),
          rrset('mx.acme.test.', 'A', '192.0.2.25'),
          rrset('www.acme.test.', 'CNAME', 'mx.acme.test.'),
          rrset('*.wild.acme.test.', 'TXT', 'from a wildcard'),
          rrset('long.acme.test.', 'TXT', LONG),
        ],
      },
    ],
  })
}

type Client = {
  debian: string
  program: string
  args(port: string, ...question: string[]): string[]
  tcp: readonly string[]
  /** Does not ask over TCP by itself when it is told TC. */
  staysWithUdp?: true
}

const CLIENTS: readonly Client[] = [
  {
    debian: 'bind9-dnsutils',
    program: '/usr/bin/dig',
    args: (port, ...question) => ['@127.0.0.1', '-p', port, '+norec', ...question],
    tcp: ['+tcp'],
  },
  {
    debian: 'knot-dnsutils',
    program: '/usr/bin/kdig',
    args: (port, ...question) => [
      '@127.0.0.1',
      '-p',
      port,
      '+norec',
      '+edns',
      '+cookie',
      ...question,
    ],
    tcp: ['+tcp'],
  },
  {
    debian: 'ldnsutils',
    program: '/usr/bin/drill',
    args: (port, ...question) => [
      '-p',
      port,
      '-b',
      '1232',
      ...question.slice(1),
      question[0]!,
      '@127.0.0.1',
    ],
    tcp: ['-t'],
    staysWithUdp: true,
  },
  {
    debian: 'bind9-dnsutils',
    program: '/usr/bin/delv',
    args: (port, ...question) => ['@127.0.0.1', '-p', port, '-i', ...question],
    tcp: ['+tcp'],
  },
]

for (const { debian, program, args, tcp, staysWithUdp } of CLIENTS) {
  test(`${program} understands our answers`, { skip: without(debian, program) }, async () => {
    await using nameserver = await start()
    const port = String(nameserver.listeners[0]!.port)
    const say = async (name: string, type: string, ...options: string[]) => {
      const { stdout } = await run(program, args(port, name, type, ...options)).catch(
        (error) => error,
      )
      return String(stdout)
    }
    assert.match(await say('acme.test', 'MX'), /\sMX\s+10 mx\.acme\.test\./)
    assert.match(await say('www.acme.test', 'A'), /CNAME\s+mx\.acme\.test\.[\s\S]*192\.0\.2\.25/)
    assert.match(await say('any.wild.acme.test', 'TXT'), /"from a wildcard"/)
    assert.match(await say('acme.test', 'MX', ...tcp), /\sMX\s+10 mx\.acme\.test\./)
    // Too long for UDP, so TC has led the client to TCP.
    const long = await say('long.acme.test', 'TXT', ...(staysWithUdp ? tcp : []))
    assert.ok(long.replace(/" "/g, '').includes(LONG))
    assert.match(await say('absent.acme.test', 'A'), /NXDOMAIN|ncache nxdomain/i)
  })
}

test('dig: a cookie of ours is accepted when it is shown again', {
  skip: without('bind9-dnsutils', '/usr/bin/dig'),
}, async () => {
  await using nameserver = await start()
  const to = [
    '@127.0.0.1',
    '-p',
    String(nameserver.listeners[0]!.port),
    '+norec',
    'acme.test',
    'MX',
  ]
  const { stdout } = await run('/usr/bin/dig', [...to, '+cookie=0102030405060708'])
  const cookie = /COOKIE: ([0-9a-f]{48}) \(good\)/.exec(stdout)?.[1]
  assert.ok(cookie, stdout)
  const again = await run('/usr/bin/dig', [...to, `+cookie=${cookie}`])
  assert.match(again.stdout, new RegExp(`COOKIE: ${cookie} \\(good\\)`))
})

const withoutUnbound =
  without('unbound', '/usr/sbin/unbound') || without('bind9-dnsutils', '/usr/bin/dig')

test('unbound resolves through us', { skip: withoutUnbound }, async () => {
  await using nameserver = await start()
  await using unbound = await startUnbound(nameserver.listeners[0]!.port)
  assert.match(await unbound.dig('acme.test', 'MX'), /ANSWER: 1,[\s\S]*10 mx\.acme\.test\./)
  assert.match(await unbound.dig('www.acme.test', 'A'), /ANSWER: 2,[\s\S]*192\.0\.2\.25/)
  assert.ok((await unbound.dig('long.acme.test', 'TXT')).replace(/" "/g, '').includes(LONG))
  assert.match(await unbound.dig('absent.acme.test', 'A'), /status: NXDOMAIN/)
  assert.match(await unbound.dig('mx.acme.test', 'AAAA'), /status: NOERROR[\s\S]*ANSWER: 0,/)
})

type Unbound = AsyncDisposable & { dig(name: string, type: string): Promise<string> }

/** A port that was free may be taken by the time unbound binds it, so it is tried again. */
const STARTS = 4

async function startUnbound(ours: number): Promise<Unbound> {
  for (let left = STARTS; ; left--) {
    const unbound = await tryUnbound(ours)
    if (unbound) return unbound
    assert.ok(left > 1, 'unbound does not start')
  }
}

/** Undefined if it ends before it answers. */
async function tryUnbound(ours: number): Promise<Unbound | undefined> {
  await using opened = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'mailstead-unbound-'))
  opened.defer(() => rm(directory, { recursive: true }))
  const port = await freeUdpPort()
  const conf = join(directory, 'unbound.conf')
  await writeFile(
    conf,
    `server:
  interface: 127.0.0.1@${port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "${directory}"
  pidfile: ""
  use-syslog: no
  logfile: "${directory}/log"
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
  private-address: 10.0.0.0/8
stub-zone:
  name: "acme.test"
  stub-addr: 127.0.0.1@${ours}
remote-control:
  control-enable: no
`,
  )
  const child = spawn('/usr/sbin/unbound', ['-d', '-c', conf], { stdio: 'ignore' })
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  opened.defer(async () => {
    if (hasEnded()) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  })
  const dig = async (name: string, type: string) => {
    const { stdout } = await run('/usr/bin/dig', ['@127.0.0.1', '-p', String(port), name, type])
    return stdout
  }
  const giveUpAt = performance.now() + 20_000
  while (!/NOERROR/.test(await dig('acme.test', 'MX').catch(() => ''))) {
    if (hasEnded()) return undefined
    assert.ok(performance.now() < giveUpAt, 'unbound does not answer')
    await delay(100)
  }
  const closing = opened.move()
  return { dig, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}
