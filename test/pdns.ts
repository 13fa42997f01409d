/** A real PowerDNS Authoritative Server on loopback, with a database of its own. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmulatorServer, startEmulator } from '../emulators/server.ts'
import { until } from './client.ts'
import { missing } from './needs.ts'
import { freePort } from './ports.ts'

const SERVER = '/usr/sbin/pdns_server'
const SCHEMA = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql'

/** Why tests with PowerDNS cannot run here; undefined when they can. */
export const withoutPdns = missing(
  'PowerDNS with its SQLite backend (Debian: pdns-server, pdns-backend-sqlite3, sqlite3)',
  () => [SERVER, SCHEMA, '/usr/bin/sqlite3'].every(existsSync),
)

/** What was changed is to be seen at once. */
const UNCACHED = { 'negquery-cache-ttl': 0, 'query-cache-ttl': 0, 'cache-ttl': 0 }

export type Pdns = AsyncDisposable & {
  pid: number
  url: string
  apiKey: string
  /** Where it answers questions. */
  dns: { address: string; port: number }
  zones(): Promise<string[]>
}

/** `address` is a loopback address that nobody else listens at. */
export async function startPdns(
  address = '127.0.0.1',
  own: Readonly<Record<string, string | number>> = UNCACHED,
): Promise<Pdns> {
  const directory = await mkdtemp(join(tmpdir(), 'mailstead-pdns-'))
  await chmod(directory, 0o755)
  const database = join(directory, 'zones.sqlite3')
  execFileSync('/usr/bin/sqlite3', [database, `.read ${SCHEMA}`])
  const [api, dns] = [await freePort(address), await freePort(address)]
  const apiKey = 'canary-pdns-key-4711'
  const settings = {
    launch: 'gsqlite3',
    'gsqlite3-database': database,
    'gsqlite3-pragma-synchronous': 0,
    api: 'yes',
    'api-key': apiKey,
    webserver: 'yes',
    'webserver-address': address,
    'webserver-port': api,
    'webserver-allow-from': '127.0.0.0/8',
    'local-address': address,
    'local-port': dns,
    'socket-dir': directory,
    'config-dir': directory,
    guardian: 'no',
    daemon: 'no',
    loglevel: 3,
    ...own,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(join(directory, 'pdns.conf'), lines.join(''))
  const child = spawn(SERVER, [`--config-dir=${directory}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk) => {
    log += chunk
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const url = `http://${address}:${api}`
  const headers = { 'x-api-key': apiKey, accept: 'application/json' }
  const zones = async (): Promise<string[]> => {
    const answer = await fetch(`${url}/api/v1/servers/localhost/zones`, { headers })
    return ((await answer.json()) as { name: string }[]).map(({ name }) => name)
  }
  await until(
    () =>
      zones().then(
        () => true,
        () => child.exitCode !== null,
      ),
    Boolean,
    15_000,
  )
  if (child.exitCode !== null) throw new Error(`pdns_server ended: ${log}`)
  return {
    pid: child.pid!,
    url,
    apiKey,
    dns: { address, port: dns },
    zones,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Stands before the API of a real PowerDNS, so that its calls can be seen and can go wrong. */
export const startPdnsDoor = ({ url }: Pdns): Promise<EmulatorServer> =>
  startEmulator({
    async handle({ method, target, headers, body }) {
      const kept = ['x-api-key', 'accept', 'content-type'].flatMap((name) => {
        const value = headers[name]
        return typeof value === 'string' ? [[name, value] as const] : []
      })
      const answer = await fetch(`${url}${target}`, {
        method,
        headers: Object.fromEntries(kept),
        body: body === '' ? null : body,
      })
      const type = answer.headers.get('content-type')
      return {
        status: answer.status,
        headers: type === null ? {} : { 'content-type': type },
        text: await answer.text(),
      }
    },
    refusal: (status) => ({ status, json: { error: `Refused with ${status}` } }),
  })
