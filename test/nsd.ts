/** A real NSD on loopback, with the zones that a test or a bench gives it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { queryOf } from '#servers/dns/dig.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import { missing } from './needs.ts'
import { freeUdpPort } from './ports.ts'

const SERVER = '/usr/sbin/nsd'
const START_MS = 60_000

/** Why tests with NSD cannot run here; undefined when they can. */
export const withoutNsd = missing('NSD (Debian: nsd)', () => existsSync(SERVER))

export type Nsd = AsyncDisposable & { port: number; pid: number }

/** A port that was free may be taken by the time NSD binds it, so it is tried again. */
const STARTS = 4

export async function startNsd(zones: readonly ServedZone[]): Promise<Nsd> {
  for (let left = STARTS; ; left--) {
    try {
      return await startOnce(zones)
    } catch (error) {
      if (left <= 1 || !/Address already in use/.test(String(error))) throw error
    }
  }
}

async function startOnce(zones: readonly ServedZone[]): Promise<Nsd> {
  await using opened = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'mailstead-nsd-'))
  opened.defer(() => rm(directory, { recursive: true }))
  const port = await freeUdpPort()
  await mkdir(join(directory, 'zones'))
  for (const [i, zone] of zones.entries()) {
    await writeFile(join(directory, 'zones', `${i}`), masterFileOf(zone))
  }
  await writeFile(join(directory, 'nsd.conf'), configuration(directory, port, zones))
  const child = spawn(SERVER, ['-d', '-c', join(directory, 'nsd.conf')], { stdio: 'ignore' })
  opened.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  })
  try {
    await answers(port, zones[0]!.apex, child)
  } catch (error) {
    throw new Error(await readFile(join(directory, 'log'), 'utf8'), { cause: error })
  }
  const closing = opened.move()
  return { port, pid: child.pid!, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

const configuration = (directory: string, port: number, zones: readonly ServedZone[]): string =>
  `server:
  ip-address: 127.0.0.1@${port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "${directory}/zones"
  pidfile: "${directory}/nsd.pid"
  logfile: "${directory}/log"
  xfrdfile: "${directory}/xfrd.state"
  zonelistfile: "${directory}/zone.list"
  xfrdir: "${directory}"
  database: ""
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
${zones.map(({ apex }, i) => `zone:\n  name: "${apex}"\n  zonefile: ${i}\n`).join('')}`

/** A zone in the format of master files (RFC 1035 section 5). */
export function masterFileOf(zone: ServedZone): string {
  const { apex, nameservers, serial, rrsets, ds = [], negativeTtl = 60, nsTtl = 3600 } = zone
  const rname = apex === '.' ? 'hostmaster.' : `hostmaster.${apex}`
  const soa = `${nameservers[0]} ${rname} ${serial} 14400 3600 1209600 ${negativeTtl}`
  const lines = [`${apex} ${negativeTtl} IN SOA ${soa}`]
  for (const ns of nameservers) lines.push(`${apex} ${nsTtl} IN NS ${ns}`)
  for (const { name, type, ttl, data } of rrsets) {
    for (const each of data) {
      lines.push(`${name} ${ttl} IN ${type} ${type === 'TXT' ? quoted(each) : each}`)
    }
  }
  for (const { name, data } of ds) {
    const ttl = rrsets.find((rrset) => rrset.name === name && rrset.type === 'NS')?.ttl ?? nsTtl
    for (const each of data) lines.push(`${name} ${ttl} IN DS ${each}`)
  }
  return `${lines.join('\n')}\n`
}

const quoted = (text: string): string =>
  (text.match(/.{1,255}/gs) ?? ['']).map((part) => `"${part.replace(/["\\]/g, '\\$&')}"`).join(' ')

async function answers(port: number, apex: string, child: ChildProcess): Promise<void> {
  const socket = createSocket('udp4')
  const signal = AbortSignal.timeout(START_MS)
  try {
    let isAnswered = false
    socket.on('message', () => {
      isAnswered = true
    })
    while (!isAnswered) {
      if (child.exitCode !== null) throw new Error(`NSD ended with ${child.exitCode}`)
      socket.send(queryOf(`${apex} SOA`), port, '127.0.0.1')
      await delay(50, undefined, { signal })
    }
  } finally {
    socket.close()
  }
}
