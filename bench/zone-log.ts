/**
 * How long the nameserver's log of zones takes to write, to read at a start, and to compact; and for how
 * long at most each of these blocks the process's other work. Records are as large as those of usual
 * zones.
 */
import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { ZoneLog } from '#servers/zone-log/zone-log.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { figure } from './figures.ts'

const ZONES = Number(process.env.BENCH_ZONES ?? 100_000)
const OCTETS = 1200
const A_PAGE = 1000

export async function zoneLog(signal: AbortSignal): Promise<void> {
  await using directory = await temporaryDirectory()
  const options = {
    path: join(directory.path, 'zones.log'),
    meta: Buffer.from('bench'),
    now: () => Date.now(),
    onError: console.error,
  }
  figure(`zone-log: ${ZONES} zones of ${OCTETS} octets`)
  const payload = randomBytes(OCTETS)
  {
    await using log = new ZoneLog(options)
    await log.open(() => undefined)
    const write = async () => {
      for (let done = 0; done < ZONES; done += A_PAGE) {
        signal.throwIfAborted()
        await log.append(Array.from({ length: A_PAGE }, (_, n) => [`d${done + n}.test`, payload]))
      }
      await log.complete({ mark: '1', database: 'bench' })
    }
    await timed('written', write)
    await timed('written again', write)
    await timed('rid of outdated records', () => log.compact())
  }
  let read = 0
  await using log = new ZoneLog(options)
  await timed('read', () => log.open(() => void read++))
  const megabytes = Math.round((await stat(options.path)).size / 1e6)
  figure(`${read} of ${log.size} zones in ${megabytes} MB`)
}

async function timed<Result>(what: string, act: () => Promise<Result>): Promise<Result> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const [began, before] = [performance.now(), process.cpuUsage()]
  const result = await act()
  const ms = Math.round(performance.now() - began)
  const { user, system } = process.cpuUsage(before)
  delay.disable()
  const cpu = Math.round((user + system) / 1000)
  const longest = Math.round(delay.max / 1e6)
  figure(`${what}: ${ms} ms, ${cpu} ms of CPU, at most ${longest} ms without a pause`)
  return result
}
