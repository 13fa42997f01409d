/**
 * The product's overhead above a bare handler: requests a second for one domain, against a Fastify route
 * that makes the same queries to the same database, and sends the rows unchanged. Both are measured in
 * turns, so that other load on the machine affects both.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { makeApiKey } from '#names/api-key.ts'
import { testDatabase } from '../test/database.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { startProduct } from '../test/product.ts'
import { figure, median, target } from './figures.ts'

const ROUNDS = 4
const TARGET_PERCENT = 70

export async function handler(signal: AbortSignal): Promise<void> {
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const key = makeApiKey('sandbox')
  const settings = {
    DATABASE_URL: database.url,
    MAILSTEAD_BOOTSTRAP_KEY: key,
    MAILSTEAD_LOG_LEVEL: 'warn',
  }
  await using product = await startProduct({ dataDir: directory.path, settings })
  const { domain_id: id } = await product.client.addActive('handler.test')
  await using bare = await startBare(database.url, signal)
  const measured = [
    { what: 'the product', url: `${product.client.base}/api/public/v1/domains/${id}` },
    { what: 'bare, the same two queries', url: `${bare.url}/same/${id}` },
    { what: 'bare, row and conditions', url: `${bare.url}/two/${id}` },
  ].map((each) => ({ ...each, rates: [] as number[] }))
  figure(`handler: ${ROUNDS} rounds of each in turns; requests a second`)
  for (let round = 0; round < ROUNDS; round++) {
    for (const { url, rates } of measured) rates.push(await load(url, key, signal))
  }
  report(measured)
}

const fileOf = (name: string): string => join(import.meta.dirname, name)

async function startBare(databaseUrl: string, signal: AbortSignal) {
  const child = fork(fileOf('bare.ts'), [databaseUrl], { signal })
  const [url] = (await once(child, 'message', { signal })) as [string]
  return {
    url,
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}

/** Answers a second. */
async function load(url: string, key: string, signal: AbortSignal): Promise<number> {
  const child = fork(fileOf('load.ts'), [url, key], { signal })
  const failed = once(child, 'exit').then(() => [undefined])
  const [rate] = (await Promise.race([once(child, 'message', { signal }), failed])) as [number?]
  if (rate === undefined) throw new Error(`${url} was not answered as it should be`)
  return rate
}

type Measured = { what: string; rates: readonly number[] }

function report(measured: readonly Measured[]): void {
  for (const { what, rates } of measured) {
    const cells = rates.map((rate) => String(Math.round(rate)).padStart(8))
    figure(`  ${what.padEnd(28)}${cells.join('')}   median ${Math.round(median(rates))}`)
  }
  const [product, same, two] = measured.map(({ rates }) => median(rates)) as [
    number,
    number,
    number,
  ]
  figure(`  ${Math.round((product / two) * 100)} % of the bare one that reads row and conditions`)
  const percent = Math.round((product / same) * 100)
  target(
    `at least ${TARGET_PERCENT} % of the same two queries, and it is ${percent} %`,
    percent >= TARGET_PERCENT,
  )
}
