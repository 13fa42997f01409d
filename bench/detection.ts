/**
 * The time from the parent's publication of the delegation until the domain is ACTIVE, with one domain
 * waiting. Each is published at a random moment between two looks, and no query to our nameserver wakes
 * us meanwhile: only the rate of looks is measured, and the steps after it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '../demo/client.ts'
import { startProduct } from '../demo/product.ts'
import { stageTimes } from '../demo/stages.ts'
import { expect } from '../demo/unexpected.ts'
import { figure, target } from './figures.ts'
import { printTable, type Row } from './table.ts'

const DOMAINS = 15
const TARGET_MS = { p50: 500, p95: 1000 }
const LOOK_EVERY_MS = 20
/** A random moment between two looks, at an age when a user still waits at the screen. */
const PUBLISHED_AFTER_MS = { least: 2500, most: 5000 }

type Measured = { totalMs: number; stages: ReadonlyMap<string, number> }

export async function detection(stop: AbortSignal): Promise<void> {
  await using product = await startProduct(stop)
  const signal = AbortSignal.any([stop, product.lost])
  const client = new Client(product, signal)
  figure(`detection: ${DOMAINS} domains, one after another; milliseconds`)
  const measured: Measured[] = []
  for (let index = 1; index <= DOMAINS; index += 1) {
    const one = await measure(client, `detection-${index}.example`, signal)
    measured.push(one)
    console.log(`  ${String(index).padStart(2)}  ${Math.round(one.totalMs)}`)
  }
  report(measured)
}

async function measure(client: Client, name: string, signal: AbortSignal): Promise<Measured> {
  const { domain_id, nameservers } = await client.addDomain(name)
  const { least, most } = PUBLISHED_AFTER_MS
  await delay(least + Math.random() * (most - least), undefined, { signal })
  const publishedAt = Date.parse((await client.delegate(name, nameservers)).published_at)
  const domain = await client.until(
    `${name} to become ACTIVE`,
    () => client.domain(domain_id),
    ({ status }) => status === 'ACTIVE' || status === 'FAILED',
    LOOK_EVERY_MS,
  )
  const totalMs = Date.now() - publishedAt
  expect(domain.status === 'ACTIVE', `${name} is ${domain.status}.`)
  const times = stageTimes(domain, publishedAt, Date.now())
  await remove(client, domain_id, name)
  return { totalMs, stages: new Map(times.map(({ type, ms }) => [type, ms])) }
}

/** Removes the domain before the next one: one at a time. */
async function remove(client: Client, id: string, name: string): Promise<void> {
  await client.undelegate(name)
  await client.deleteDomain(id)
  await client.until(
    `the removal of ${name}`,
    () => client.removal(id),
    ({ state }) => state === 'done',
  )
}

function report(measured: readonly Measured[]): void {
  const stages = [...measured[0]!.stages.keys()].filter((type) => type !== 'zone_ready')
  const rows: Row[] = stages.map((type) => ({
    what: type,
    values: measured.map((each) => each.stages.get(type)!),
  }))
  const total = { what: 'published → ACTIVE', values: measured.map(({ totalMs }) => totalMs) }
  const { p50, p95 } = printTable([...rows, total])
  target(
    `of the last line, p50 at most ${TARGET_MS.p50} ms and p95 at most ${TARGET_MS.p95}`,
    p50 <= TARGET_MS.p50 && p95 <= TARGET_MS.p95,
  )
}
