import { domainPass, type Failure } from '#domains/pass.ts'
import { startWorker, type Taken } from '#engine/worker.ts'
import { deliveryPass, type QueueBook } from '#mail/outgoing/queue.ts'
import type { TransferOptions } from '#mail/outgoing/transfer.ts'
import { TOPICS } from '#store/context.ts'
import { loadDelivery, noteAttempt } from '#store/deliveries.ts'
import { stockKeyPairs } from '#store/dkim-keys.ts'
import { inWorlds, loadForPass, type PortsOf } from '#store/domain-passes.ts'
import type { Config } from '../config.ts'
import type { World, Worlds } from '../world.ts'
import type { Foundation } from './foundation.ts'

/** How many domains and messages one process works on at once, and how long each may take. */
const DOMAINS_AT_ONCE = 32
const DOMAIN_LIMIT_MS = 60_000
const DELIVERIES_AT_ONCE = 20
const DELIVERY_LIMIT_MS = 120_000
/** Beside the attempt there is its message to read, and its end to note. */
const DELIVERY_PASS_LIMIT_MS = DELIVERY_LIMIT_MS + 60_000
const STOCK_EVERY_MS = 15_000

/** The `worker` role: passes over domains, attempts at messages, and a stock of key pairs. */
export function openWorkers(foundation: Foundation, worlds: Worlds, ports: PortsOf): void {
  const { config, store, opened, logger, onError } = foundation
  const { db, doorbell } = store
  const onFailed = (failure: Failure) => logger.warn(failure, 'domain failed')
  const load = (row: Taken) => loadForPass(store, row, ports)
  // Rows of a world that is off in this process are another's, or wait until it is on again.
  const mine = inWorlds([...worlds.keys()])
  const domains = startWorker({
    db,
    doorbell,
    table: 'domains',
    mine,
    topic: TOPICS.domainsDue,
    atOnce: DOMAINS_AT_ONCE,
    passLimitMs: DOMAIN_LIMIT_MS,
    givesWay: config.roles.some((role) => role !== 'worker'),
    work: (row, signal) => domainPass(row, load, signal, onFailed),
    // Whoever waits for the end of the pass looks again.
    onDone: ({ id }) => doorbell.ring(TOPICS.domain(id)),
    onError,
  })
  opened.use(domains)
  const book = queueBook(foundation, worlds)
  const attempts = { now: () => new Date(), limitMs: DELIVERY_LIMIT_MS }
  const deliveries = startWorker({
    db,
    doorbell,
    table: 'deliveries',
    mine,
    topic: TOPICS.deliveriesDue,
    atOnce: DELIVERIES_AT_ONCE,
    passLimitMs: DELIVERY_PASS_LIMIT_MS,
    work: (row, signal) => deliveryPass(row, book, attempts, signal),
    onError,
  })
  opened.use(deliveries)
  keepStock(foundation)
}

function queueBook({ store, config }: Foundation, worlds: Worlds): QueueBook {
  return {
    async load(row, now) {
      const delivery = await loadDelivery(store, row, now)
      const world = delivery && worlds.get(delivery.world)
      return world && { ...delivery, options: transferOptions(world, config) }
    },
    note: (row, result) => noteAttempt(store, row, result),
  }
}

function transferOptions(world: World, config: Config): TransferOptions {
  const isLive = world.name === 'live'
  return {
    resolver: world.resolver,
    mailHost: world.platform.mailHost,
    smtpPort: world.smtpPort,
    mayConnect: world.mayConnect,
    sourceAddresses: isLive ? config.smtpSourceAddresses : [],
    smarthost: isLive ? config.smarthost : undefined,
  }
}

function keepStock({ store, opened, onError }: Foundation): void {
  const stop = new AbortController()
  let stocking = Promise.resolve()
  const stock = () => {
    stocking = stocking.then(() => stockKeyPairs(store, stop.signal)).catch(onError)
  }
  stock()
  const timer = setInterval(stock, STOCK_EVERY_MS)
  opened.defer(async () => {
    clearInterval(timer)
    stop.abort()
    await stocking
  })
}
