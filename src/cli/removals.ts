import { parseArgs } from 'node:util'
import { askProduct } from './ask-product.ts'
import type { Answer } from './exchange.ts'

/** Gives up the removal stages that wait for outside services; prints what may be left there. */
export async function abandonRemoval(args: string[]): Promise<void> {
  const { positionals } = parseArgs({ args, allowPositionals: true })
  const [domainId = ''] = positionals
  const path = `/removals/${encodeURIComponent(domainId)}/abandon`
  printOrphans(await askProduct('POST', path, {}))
}

/** Prints all given-up stages. */
export async function listOrphans(): Promise<void> {
  printOrphans(await askProduct('GET', '/orphans'))
}

function printOrphans({ status, body }: Answer): void {
  if (status !== 200) throw new Error(`It was refused: ${JSON.stringify(body.detail)}`)
  for (const { at, account, stage, domain, claim } of body.orphans as Record<string, string>[]) {
    process.stdout.write(`${at} ${account} ${stage} ${domain} (claim ${claim})\n`)
  }
}
