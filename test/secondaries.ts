/**
 * Secondaries of other makes on loopback, each set up by what docs/nameservers.md says; and a primary of
 * ours whose zones a test changes as it likes.
 */
import { execFile, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import packet, { type DecodedPacket } from 'dns-packet'
import { parseTsigKey } from '#dns/tsig.ts'
import type { SocketsChoice } from '#servers/dns/threads/threads.ts'
import { Catalog } from '#servers/dns/transfer/catalog.ts'
import type { SecondariesSettings } from '#servers/dns/transfer/secondaries.ts'
import type { CatalogChange, CatalogStore } from '#servers/dns/transfer/source.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import type { Nameserver } from '#servers/nameserver.ts'
import type { ServedName } from '#servers/served-name.ts'
import { temporaryDirectory } from './directories.ts'
import { startNameserverRole } from './nameserver-role.ts'
import { missing } from './needs.ts'
import { freePort } from './ports.ts'

const PAGE = readFileSync('docs/nameservers.md', 'utf8')

/** The key of the page, as `MAILSTEAD_TRANSFER_KEYS` has it. */
export const WRITTEN_KEY = /MAILSTEAD_TRANSFER_KEYS=(\S+)/.exec(PAGE)![1]!
export const KEY = parseTsigKey(WRITTEN_KEY)
export const CATALOG = `${/MAILSTEAD_CATALOG_ZONE=(\S+)/.exec(PAGE)![1]!}.`

const MAKES = {
  Knot: {
    program: '/usr/sbin/knotd',
    heading: '### Knot DNS',
    address: '192.0.2.3@53',
    home: '/var/lib/knot',
    at: (port: number) => `127.0.0.1@${port}`,
    // The socket of its control would be a directory of the system's.
    settings: (written: string, home: string) =>
      written.replace('server:\n', `server:\n    rundir: ${home}\n`),
    run: (file: string) => ['-c', file],
  },
  BIND: {
    program: '/usr/sbin/named',
    heading: '### BIND',
    address: 'port 53 { 192.0.2.4; }',
    home: '/var/cache/bind',
    at: (port: number) => `port ${port} { 127.0.0.1; }`,
    settings: (written: string, home: string) =>
      `controls {};\n${written.replace('options {', `options {\n    pid-file "${home}/pid";\n    session-keyfile "${home}/session";`)}`,
    run: (file: string) => ['-g', '-n', '1', '-c', file],
  },
  NSD: {
    program: '/usr/sbin/nsd',
    heading: '### NSD',
    address: '192.0.2.5@53',
    home: '/var/lib/nsd',
    at: (port: number) => `127.0.0.1@${port}`,
    settings: (written: string, home: string) =>
      written.replace(
        'server:\n',
        [
          'server:',
          '    username: ""',
          '    chroot: ""',
          '    server-count: 1',
          '    reuseport: no',
          `    pidfile: ${home}/pid`,
          `    xfrdfile: ${home}/xfrd.state`,
          `    zonelistfile: ${home}/zone.list`,
          `    xfrdir: ${home}`,
          `    database: ""`,
          'remote-control:',
          '    control-enable: no',
          'server:\n',
        ].join('\n'),
      ),
    run: (file: string) => ['-d', '-c', file],
  },
} as const

export type Make = keyof typeof MAKES
const DEBIAN: Record<Make, string> = { Knot: 'knot', BIND: 'bind9', NSD: 'nsd' }

/** Why tests with this make cannot run here; undefined when they can. */
export const without = (make: Make): string | undefined =>
  missing(`${make} (Debian: ${DEBIAN[make]})`, () => existsSync(MAKES[make].program))

export type Secondary = AsyncDisposable & { port: number; log(): string }

/** Starts a secondary at a port that the primary at another port is to notify. */
export async function startSecondary(
  make: Make,
  { port, primary }: { port: number; primary: number },
): Promise<Secondary> {
  await using opened = new AsyncDisposableStack()
  const { program, heading, address, home, at, settings, run } = MAKES[make]
  const directory = opened.use(await temporaryDirectory())
  const data = join(directory.path, 'data')
  await mkdir(data)
  const written = PAGE.split(`${heading}\n`)[1]!
    .split('```')[1]!
    .replace(/^\w*\n/, '')
  const text = settings(written, data)
    .replaceAll(address, at(port))
    .replaceAll(home, data)
    .replaceAll('192.0.2.1@53', `127.0.0.1@${primary}`)
    .replaceAll('192.0.2.1 port 53', `127.0.0.1 port ${primary}`)
    .replaceAll('192.0.2.1', '127.0.0.1')
  const file = join(directory.path, 'settings')
  await writeFile(file, text)
  return running(opened, port, program, run(file))
}

/** Runs a server until it is disposed of, and then ends what was opened for it. */
function running(
  opened: AsyncDisposableStack,
  port: number,
  program: string,
  options: readonly string[],
): Secondary {
  const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      log += chunk
    })
  const exited = once(child, 'exit')
  opened.defer(async () => {
    child.kill('SIGTERM')
    await exited
  })
  const closing = opened.move()
  return { port, log: () => log, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

const PDNS_HOME = '/var/lib/powerdns'

/** Starts a PowerDNS by the commands of the page. `withoutPdns` says whether it can run. */
export async function startPowerDns({
  port,
  primary,
}: {
  port: number
  primary: number
}): Promise<Secondary> {
  await using opened = new AsyncDisposableStack()
  const { path } = opened.use(await temporaryDirectory())
  const [, settings = '', , commands = ''] = PAGE.split('### PowerDNS\n')[1]!.split('```')
  const here = (text: string) =>
    text
      .replace(/^\w*\n/, '')
      .replaceAll(PDNS_HOME, path)
      .replaceAll('192.0.2.6', '127.0.0.1')
      .replaceAll('local-port=53', `local-port=${port}`)
      .replaceAll('192.0.2.1:53', `127.0.0.1:${primary}`)
      .replaceAll('pdnsutil ', `pdnsutil --config-dir=${path} `)
  // What has no place on the page: a test does not wait for caches.
  const own = [`socket-dir=${path}`, 'guardian=no', 'query-cache-ttl=0', 'negquery-cache-ttl=0']
  const uncached = ['cache-ttl=0', 'zone-cache-refresh-interval=0']
  await writeFile(join(path, 'pdns.conf'), [here(settings), ...own, ...uncached].join('\n'))
  await promisify(execFile)('sh', ['-euc', here(commands)])
  return running(opened, port, '/usr/sbin/pdns_server', [`--config-dir=${path}`])
}

export const freePorts = (count: number): Promise<number[]> =>
  Promise.all(Array.from({ length: count }, () => freePort()))

/** The rows of a catalog in memory, shared by the primaries that are given it. */
export class CatalogRows {
  readonly catalog = new Catalog(CATALOG)
  readonly #changes: CatalogChange[] = []
  readonly #heard = new Set<() => void>()
  #writer: object | undefined

  constructor() {
    this.catalog.replace(1, [], [])
  }

  /** The process that wrote is gone, and its time is up. */
  abandon(): void {
    this.#writer = undefined
  }

  /** For one process. */
  store(): CatalogStore {
    const self = {}
    return {
      read: async () => ({
        serial: this.catalog.serial,
        members: [...this.catalog.names].map(
          (name) => [name, this.catalog.memberId(name)!] as const,
        ),
        latest: [...this.#changes],
      }),
      since: async (serial) => this.#changes.slice(serial - 1),
      write: async (serial, changes) => {
        this.#writer ??= self
        if (this.#writer !== self || serial !== this.catalog.serial) return false
        this.#changes.push(...changes)
        this.catalog.apply(changes)
        if (changes.length > 0) for (const heard of this.#heard) heard()
        return true
      },
      release: async () => {
        if (this.#writer === self) this.#writer = undefined
      },
      onChange: (heard) => {
        this.#heard.add(heard)
        return { [Symbol.dispose]: () => void this.#heard.delete(heard) }
      },
    }
  }
}

/** What the database would have, in memory. */
export class ZoneRows {
  readonly #zones = new Map<string, ServedZone | undefined>()
  readonly #changes: string[] = []
  readonly #heard = new Set<() => void>()

  /** Names without the trailing dot. */
  put(zones: Readonly<Record<string, ServedZone | undefined>>): void {
    for (const [name, zone] of Object.entries(zones)) {
      this.#zones.set(name, zone)
      this.#changes.push(name)
    }
    for (const heard of this.#heard) heard()
  }

  feed() {
    return {
      changed: async (mark: string, { after }: { after: string }) => ({
        names: after === '' ? [...new Set(this.#changes.slice(Number(mark)))] : [],
        mark: String(this.#changes.length),
        database: 'rows',
      }),
      read: async (names: readonly string[]): Promise<ServedName[]> =>
        names.map((name) => ({ name, zone: this.#zones.get(name), waiting: [] })),
      onChange: (heard: () => void) => {
        this.#heard.add(heard)
        return { [Symbol.dispose]: () => void this.#heard.delete(heard) }
      },
      wake: async () => {},
    }
  }
}

export type Primary = Nameserver & { port: number; troubles: string[] }

type PrimarySettings = {
  port?: number
  catalog?: { apex: string; store: CatalogStore }
  sockets?: SocketsChoice
}

/** A nameserver of ours with these zones. Port 0 means any. */
export async function startPrimary(
  rows: ZoneRows,
  settings: Partial<SecondariesSettings> & PrimarySettings,
): Promise<Primary> {
  const troubles: string[] = []
  const { port = 0, catalog, sockets = 'auto', ...secondaries } = settings
  const feed = { ...rows.feed(), catalog: catalog?.store }
  const nameserver = await startNameserverRole(feed, {
    listen: [{ address: '127.0.0.1', port }],
    sockets,
    secondaries: {
      notify: [],
      keys: [KEY],
      addresses: [],
      nowS: () => Date.now() / 1000,
      catalogApex: catalog?.apex,
      onTrouble: (sentence) => void troubles.push(sentence),
      ...secondaries,
    },
    onError: (error) => void troubles.push(String(error)),
  })
  return { ...nameserver, port: nameserver.listeners[0]!.port, troubles }
}

const WINDOW = 200
const PATIENCE_MS = 1000

export type Question = readonly [name: string, type: 'A' | 'MX' | 'NS' | 'SOA' | 'TXT']

/** Asks many questions over UDP; what is not answered within a second is undefined. */
export async function askAll(
  port: number,
  questions: readonly Question[],
): Promise<(DecodedPacket | undefined)[]> {
  const socket = createSocket('udp4')
  const replies: (DecodedPacket | undefined)[] = questions.map(() => undefined)
  try {
    for (let done = 0; done < questions.length; done += WINDOW) {
      const some = questions.slice(done, done + WINDOW)
      await askSome(socket, port, some, (index, reply) => {
        replies[done + index] = reply
      })
    }
    return replies
  } finally {
    socket.close()
  }
}

async function askSome(
  socket: ReturnType<typeof createSocket>,
  port: number,
  questions: readonly Question[],
  heard: (index: number, reply: DecodedPacket) => void,
): Promise<void> {
  let left = questions.length
  const all = Promise.withResolvers<void>()
  const limit = setTimeout(all.resolve, PATIENCE_MS)
  socket.on('message', (message) => {
    const reply = packet.decode(message)
    heard(reply.id!, reply)
    if (--left === 0) all.resolve()
  })
  for (const [id, [name, type]] of questions.entries())
    socket.send(
      packet.encode({ type: 'query', id, questions: [{ name, type }] }),
      port,
      '127.0.0.1',
    )
  await all.promise
  clearTimeout(limit)
  socket.removeAllListeners('message')
}
