import { domainPass, type PassListener } from '#domains/pass.ts'
import { periodically } from '#engine/periodic.ts'
import { startWorker, type Taken } from '#engine/worker.ts'
import { TOPICS } from '#store/context.ts'
import { stockKeyPairs } from '#store/dkim-keys.ts'
import { inWorlds, loadForPass, type PortsOf, pickDomains } from '#store/domain-passes.ts'
import { DOMAINS } from '#store/due-tables.ts'
import type { Worlds } from '../../world.ts'
import type { Runtime } from '../context.ts'

/** How many domains one process works on at once, and how long each may take. */
const DOMAINS_AT_ONCE = 32
/** Limits one workspace's places, so that its slow services delay only its own domains. */
const OF_A_WORKSPACE = 20
const DOMAIN_LIMIT_MS = 60_000
const STOCK_EVERY_MS = 15_000

/** The `worker` role without mail: passes over domains, and a stock of key pairs. */
export function openWorkers(runtime: Runtime, worlds: Worlds, ports: PortsOf): void {
  const { config, store, opened, logger, onError } = runtime
  const { db, doorbell } = store
  const listener: PassListener = {
    onStatus: (change) => {
      if (change.to === 'FAILED') logger.warn(change, 'domain failed')
      else logger.info(change, 'domain changed its status')
    },
    onFault: (error, domain) => logger.error({ err: error, domain }, 'a pass over a domain failed'),
  }
  const load = (row: Taken) => loadForPass(store, row, ports)
  // Rows of a world that is off here are for another process, or wait until it is on.
  const mine = inWorlds([...worlds.keys()])
  const domains = startWorker({
    db,
    doorbell,
    table: DOMAINS,
    mine,
    topic: TOPICS.domainsDue,
    atOnce: DOMAINS_AT_ONCE,
    pick: pickDomains(OF_A_WORKSPACE),
    passLimitMs: DOMAIN_LIMIT_MS,
    givesWay: config.roles.some((role) => role !== 'worker'),
    work: (row, signal) => domainPass(row, load, signal, listener),
    // Wakes requests that wait for the pass to end.
    onDone: ({ id }) => doorbell.ring(TOPICS.domain(id)),
    onError,
  })
  opened.use(domains)
  const work = (signal: AbortSignal) => stockKeyPairs(store, signal)
  opened.use(periodically({ everyMs: STOCK_EVERY_MS, work, onError }))
}
