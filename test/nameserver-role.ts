/** The nameserver role with an empty log of zones, following a feed that a test fills. */
import { join } from 'node:path'
import {
  type Nameserver,
  type NameserverOptions,
  startNameserver,
  type ZoneFeed,
} from '#servers/nameserver.ts'
import { PAYLOAD_FORMAT } from '#servers/served-name.ts'
import { ZoneLog } from '#servers/zone-log/zone-log.ts'
import { temporaryDirectory } from './directories.ts'

/** Throws at the first error unless told what to do with errors. Listens at any free port unless told. */
export async function startNameserverRole(
  feed: ZoneFeed,
  options: Partial<NameserverOptions> = {},
): Promise<Nameserver> {
  await using opened = new AsyncDisposableStack()
  const directory = opened.use(await temporaryDirectory())
  const onError = (error: unknown) => {
    throw error
  }
  const path = join(directory.path, 'zones.log')
  const log = opened.use(new ZoneLog({ path, meta: PAYLOAD_FORMAT, now: () => 0, onError }))
  const nameserver = opened.use(
    await startNameserver({
      listen: [{ address: '127.0.0.1', port: 0 }],
      platform: [],
      log,
      onError,
      ...options,
    }),
  )
  opened.use(await nameserver.follow(feed))
  const closing = opened.move()
  return {
    ...nameserver,
    get counts() {
      return nameserver.counts
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** Nothing is in the database, and nothing comes. */
export const EMPTY_FEED: ZoneFeed = {
  changed: async () => ({ names: [], mark: '1', database: 'none' }),
  read: async () => [],
  onChange: () => ({ [Symbol.dispose]: () => {} }),
  wake: async () => {},
}
