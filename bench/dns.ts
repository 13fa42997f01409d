/**
 * The nameserver beside NSD and PowerDNS: queries a second on the same zones and queries, in turns, so
 * that other load affects all; the quoted figure is the ratio of medians. Then the latency of an answer
 * while the main thread is busy; then how soon it listens after a start from its log of zones, and the
 * memory these take. MAILSTEAD_BENCH_ZONES sets the number of zones.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { queryOf } from '#servers/dns/dig.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { masterFileOf, startNsd } from '../test/nsd.ts'
import { type Pdns, startPdns } from '../test/pdns.ts'
import { benchZone, questionsAbout } from './dns-zones.ts'
import { figure, median, target } from './figures.ts'

const run = promisify(execFile)
const TURNS = Number(process.env.MAILSTEAD_BENCH_TURNS ?? 5)
const TURN_SECONDS = 2
const HELD_ZONES = Number(process.env.MAILSTEAD_BENCH_ZONES ?? 1_000_000)
const START_SECONDS = 5
const MEMORY_OCTETS = 1.5e9
const ASKED_WHILE_BUSY = 20_000

type Server = { name: string; port: number; pid: number }
type Turn = { rate: number; cpuMicroseconds: number }

export async function dns(signal: AbortSignal): Promise<void> {
  await ratios(1, signal)
  await ratios(10_000, signal)
  await whileBusy(signal)
  await startFromLog(signal)
}

async function ratios(zones: number, signal: AbortSignal): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const directory = opened.use(await temporaryDirectory())
  const questions = join(directory.path, 'questions')
  await writeFile(questions, questionsAbout(zones))
  const served = Array.from({ length: zones }, (_, i) => benchZone(i))
  const nsd = opened.use(await startNsd(served))
  const pdns = opened.use(await startPdns('127.0.0.1', PDNS_SETTINGS))
  await givePdns(pdns, served, signal)
  const servers: Server[] = [
    { ...nsd, name: 'NSD' },
    { pid: pdns.pid, port: pdns.dns.port, name: 'PowerDNS' },
  ]
  for (const sockets of ['batched', 'dgram']) {
    const server = opened.use(await startOurs(zones, sockets, '', signal))
    servers.push({ ...server, name: `ours, ${sockets}` })
  }
  const seen = servers.map((): Turn[] => [])
  for (let turn = 0; turn <= TURNS; turn++) {
    for (const [i, server] of servers.entries()) {
      const measured = await load(server, questions, signal)
      if (turn > 0) seen[i]!.push(measured) // The first turn is a warm-up.
    }
  }
  const what = zones === 1 ? 'one zone' : `${zones} zones`
  figure(`\nqueries a second and processor time a query, ${what}, medians of ${TURNS} turns`)
  const first = summary(seen[0]!)
  for (const [i, { name }] of servers.entries()) {
    const { rate, cpuMicroseconds } = summary(seen[i]!)
    const shares = `${(rate / first.rate).toFixed(2)} of NSD's rate, ${(first.cpuMicroseconds / cpuMicroseconds).toFixed(2)} of its queries a second of processor`
    figure(
      `  ${name.padEnd(16)}${rate.toFixed(0).padStart(8)}  ${cpuMicroseconds.toFixed(2).padStart(6)} us  ${shares}`,
    )
  }
}

/** The default settings and caches, but one thread for packets, as for the others. */
const PDNS_SETTINGS = { 'receiver-threads': 1, 'distributor-threads': 1 }
const GIVEN_AT_ONCE = 8

async function givePdns(
  { url, apiKey }: Pdns,
  zones: readonly ServedZone[],
  signal: AbortSignal,
): Promise<void> {
  const left = zones.values()
  const give = async () => {
    for (const zone of left) {
      const { status } = await fetch(`${url}/api/v1/servers/localhost/zones`, {
        method: 'POST',
        headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
        body: JSON.stringify({ name: zone.apex, kind: 'Native', zone: masterFileOf(zone) }),
        signal,
      })
      if (status !== 201) throw new Error(`PowerDNS answered ${zone.apex} with ${status}.`)
    }
  }
  await Promise.all(Array.from({ length: GIVEN_AT_ONCE }, give))
}

const summary = (turns: readonly Turn[]): Turn => ({
  rate: median(turns.map(({ rate }) => rate)),
  cpuMicroseconds: median(turns.map(({ cpuMicroseconds }) => cpuMicroseconds)),
})

/** One run of dnsperf. */
async function load({ port, pid }: Server, questions: string, signal: AbortSignal): Promise<Turn> {
  const before = await cpuSeconds(pid)
  const rate = await dnsperf(port, questions, signal)
  const spent = (await cpuSeconds(pid)) - before
  return { rate, cpuMicroseconds: (spent * 1e6) / (rate * TURN_SECONDS) }
}

const TICKS_A_SECOND = 100

/** CPU seconds of a process and its children. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const own = (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
  const theirs = await Promise.all(
    children
      .split(' ')
      .filter(Boolean)
      .map((each) => cpuSeconds(Number(each))),
  )
  return theirs.reduce((sum, seconds) => sum + seconds, own)
}

async function dnsperf(port: number, questions: string, signal: AbortSignal): Promise<number> {
  const load = ['-c', '4', '-q', '200', '-l', String(TURN_SECONDS), '-e', '-d', questions]
  const { stdout } = await run('dnsperf', ['-s', '127.0.0.1', '-p', String(port), ...load], {
    signal,
  })
  const rate = /Queries per second:\s+([\d.]+)/.exec(stdout)?.[1]
  const lost = /Queries lost:\s+(\d+)/.exec(stdout)?.[1]
  if (rate === undefined || lost === undefined) throw new Error(`dnsperf said: ${stdout}`)
  return Number(rate)
}

async function startOurs(zones: number, sockets: string, busy: string, signal: AbortSignal) {
  const argv = ['bench/dns-server.ts', String(zones), sockets, busy]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'], signal })
  child.on('error', () => {})
  const [line] = (await once(createInterface(child.stdout), 'line', { signal })) as [string]
  const said = JSON.parse(line) as { port: number }
  return { ...said, name: 'ours', pid: child.pid!, [Symbol.asyncDispose]: () => end(child) }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

/** 1,000 queries a second, while our main thread is blocked for 300 of every 500 ms. */
async function whileBusy(signal: AbortSignal): Promise<void> {
  figure('\nmilliseconds to an answer while the main thread is busy 300 of every 500 ms')
  for (const sockets of ['batched', 'dgram']) {
    await using ours = await startOurs(1, sockets, 'busy', signal)
    const { waits, lost } = await ask(ours.port, signal)
    const tenths = [0.5, 0.95, 0.99, 1].map((share) => waits[Math.ceil(share * waits.length) - 1]!)
    figure(
      `  ${sockets.padEnd(10)}p50 ${tenths[0]!.toFixed(2)}  p95 ${tenths[1]!.toFixed(2)}  p99 ${tenths[2]!.toFixed(2)}  worst ${tenths[3]!.toFixed(2)}  lost ${lost}`,
    )
  }
}

async function ask(port: number, signal: AbortSignal): Promise<{ waits: number[]; lost: number }> {
  const socket = createSocket('udp4')
  const sentAt: number[] = []
  const waits: number[] = []
  socket.on('message', (reply) => {
    waits.push(performance.now() - sentAt[reply.readUInt16BE(0)]!)
  })
  const query = queryOf('zone0.bench.test. MX')
  const startedAt = performance.now()
  while (sentAt.length < ASKED_WHILE_BUSY) {
    while (sentAt.length < performance.now() - startedAt && sentAt.length < ASKED_WHILE_BUSY) {
      const packet = Buffer.from(query)
      packet.writeUInt16BE(sentAt.length)
      sentAt.push(performance.now())
      socket.send(packet, port, '127.0.0.1')
    }
    await delay(1, undefined, { signal })
  }
  await delay(1000, undefined, { signal })
  socket.close()
  return { waits: waits.toSorted((a, b) => a - b), lost: sentAt.length - waits.length }
}

/** A start after a crash: reads all zones from the log, then listens. The database is unreachable. */
async function startFromLog(signal: AbortSignal): Promise<void> {
  await using directory = await temporaryDirectory()
  const held = (...rest: string[]) => {
    const argv = ['--expose-gc', 'bench/dns-held.ts', join(directory.path, 'zones.log'), ...rest]
    return run(process.execPath, argv, { signal })
  }
  await held('write', String(HELD_ZONES))
  const { stdout } = await held('start')
  const { zones, seconds, cpuSeconds, rssOctets } = JSON.parse(stdout) as Record<
    'zones' | 'seconds' | 'cpuSeconds' | 'rssOctets',
    number
  >
  figure(
    `\na start from the log of ${zones} zones of 12 rrsets, two of them DKIM keys of 2048 bits`,
  )
  figure(
    `  listens after ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of processor; ${Math.round(rssOctets / 1e6)} MB the process`,
  )
  target(`at most ${START_SECONDS} s`, seconds <= START_SECONDS)
  target(`at most ${MEMORY_OCTETS / 1e6} MB`, rssOctets <= MEMORY_OCTETS)
}
