import { parseArgs } from 'node:util'
import { callAdminApi } from './admin-client.ts'
import type { SocketAnswer } from './socket-request.ts'

/** Gives up the stages of a removal that wait for outside services, and prints them. */
export async function abandonRemoval(args: string[]): Promise<void> {
  const { positionals } = parseArgs({ args, allowPositionals: true })
  const [domainId = ''] = positionals
  const path = `/removals/${encodeURIComponent(domainId)}/abandon`
  printOrphans(await callAdminApi('POST', path, {}))
}

/** Prints all stages that the operator gave up. */
export async function listOrphans(): Promise<void> {
  printOrphans(await callAdminApi('GET', '/orphans'))
}

function printOrphans({ status, body }: SocketAnswer): void {
  if (status !== 200) throw new Error(`Mailstead refused it: ${JSON.stringify(body.detail)}`)
  for (const { at, account, stage, domain, claim } of body.orphans as Record<string, string>[]) {
    process.stdout.write(`${at} ${account} ${stage} ${domain} (claim ${claim})\n`)
  }
}
