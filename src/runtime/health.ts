/** Whether each part of this process can do its work. */
import { setTimeout as delay } from 'node:timers/promises'
import { type HealthReport, listenHealth } from '#api/http/health.ts'
import { writeCanary } from '#store/canary.ts'
import type { Database } from '#store/database.ts'
import type { BareRuntime } from './context.ts'

/** Undefined when healthy; else a few words. */
export type Check = () => Promise<string | undefined> | string | undefined

const CHECK_LIMIT_MS = 2000
/** A nameserver looks for changes each second. */
const STALE_AFTER_MS = 30_000

export class Health {
  readonly #checks = new Map<string, Check>([['start', () => 'under way']])

  /** Checked from now on. */
  add(name: string, check: Check): void {
    this.#checks.set(name, check)
  }

  /** All parts are open. */
  started(): void {
    this.#checks.delete('start')
  }

  async report(): Promise<HealthReport> {
    const looks = [...this.#checks].map(async ([name, check]) => {
      const late = delay(CHECK_LIMIT_MS, 'no answer in time', { ref: false })
      const found = Promise.resolve(check()).catch(() => 'cannot be looked at')
      return [name, await Promise.race([found, late])] as const
    })
    const found = await Promise.all(looks)
    const words = found.map(([name, trouble]) => [name, trouble ?? 'ok'] as const)
    return {
      isReady: found.every(([, trouble]) => trouble === undefined),
      checks: Object.fromEntries(words),
    }
  }
}

/** Listens on the configured addresses, before the database is there. */
export async function openHealth({ config, opened }: BareRuntime): Promise<Health> {
  const health = new Health()
  for (const endpoint of config.healthListen) opened.use(await listenHealth(endpoint, health))
  return health
}

/** A read-only database, or one with a full disk, is unhealthy. */
export function databaseCheck(db: Database): Check {
  return () =>
    writeCanary(db).then(
      () => undefined,
      (error: unknown) => (isNotWritable(error) ? 'not writable' : 'away'),
    )
}

// SQLSTATE: a transaction that may only read, a full disk, a limit of the configuration.
const NOT_WRITABLE = ['25006', '53100', '53400']

const isNotWritable = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && NOT_WRITABLE.includes(String(error.code))

/** Zones not compared with the database for a while may be old. */
export const zonesCheck =
  (staleMs: () => number): Check =>
  () => {
    const ms = staleMs()
    return ms > STALE_AFTER_MS ? `not compared for ${Math.round(ms / 1000)} s` : undefined
  }
