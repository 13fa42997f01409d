import { isIPv6 } from 'node:net'
import type { Config } from '#config/settings.ts'
import { type Endpoint, isPrivateAddress } from '#names/ip.ts'
import { RedirectDirectory } from '#servers/redirect/directory.ts'
import { listenRedirects } from '#servers/redirect/listen.ts'
import { TOPICS } from '#store/context.ts'
import { readRedirects, redirectOf } from '#store/redirects.ts'
import { changedNames } from '#store/served-names.ts'
import type { WorldName } from '#store/tables.ts'
import type { Runtime } from '../context.ts'

/** Where the sandbox's redirects are answered without a setting: on loopback, and any free port. */
const SANDBOX_LISTEN: readonly Endpoint[] = [{ address: '127.0.0.1', port: 0 }]

/** The `redirect` role: a listener for each address. */
export async function openRedirects(
  { config, store, opened, onError }: Runtime,
  hasSandbox: boolean,
): Promise<readonly Endpoint[]> {
  const isSet = config.redirectListen.length > 0
  const addresses = isSet || !hasSandbox ? config.redirectListen : SANDBOX_LISTEN
  if (addresses.length === 0) return []
  const feed = {
    changed: (mark: string, page: { after: string; limit: number }) =>
      changedNames(store.db, mark, page),
    read: async (names: readonly string[]) =>
      (await readRedirects(store.db, names)).map(({ name, redirect }) => ({
        name,
        redirect: redirect && redirectOf(redirect),
      })),
    onChange: (heard: () => void) => store.doorbell.on(TOPICS.servedNames, heard),
  }
  const directory = opened.use(new RedirectDirectory(feed, onError))
  await directory.start()
  const listeners: Endpoint[] = []
  for (const listen of addresses) {
    const find = (host: string) => directory.find(host)
    listeners.push(opened.use(await listenRedirects({ listen, find, onError })))
  }
  return listeners
}

/**
 * The addresses in a world's redirect records; empty where there are none. Live redirects would fail if any
 * address were not public.
 */
export function redirectAddresses(world: WorldName, config: Config): readonly string[] {
  const { redirectListen: listening, laboratory, roles } = config
  const given = config.redirectAddresses
  const all = given.length > 0 ? given : listening.map(({ address }) => address)
  if (world === 'sandbox') return roles.includes('redirect') || all.length > 0 ? ['127.0.0.1'] : []
  if (all.length === 0) return []
  return laboratory || !all.some(isPrivateAddress) ? [...new Set(all.map(canonical))] : []
}

/** As resolvers write it, so that observed and desired can be compared. */
const canonical = (address: string): string =>
  isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address
