import { type Nameserver, startNameserver } from '#servers/nameserver.ts'
import { platformZones } from '#servers/platform-zones.ts'
import { TOPICS } from '#store/context.ts'
import { wakeForQuery } from '#store/domains.ts'
import { changedNames, readServedNames } from '#store/served-names.ts'
import { dnsCookieKey } from './dns-cookie-key.ts'
import type { Foundation } from './foundation.ts'
import { livePlatform } from './worlds.ts'

/** The `dns` role. The platform's live names are served once there are any. */
export async function openNameserver(
  { config, logger, store, opened, onError }: Foundation,
  isLive: boolean,
): Promise<Nameserver> {
  const nameserver = await startNameserver({
    listen: config.dnsListen,
    platform: isLive ? platformZones(livePlatform(config)) : [],
    feed: {
      changed: (mark) => changedNames(store.db, mark),
      read: (names) => readServedNames(store.db, names),
      onChange: (heard) => store.doorbell.on(TOPICS.servedNames, heard),
      wake: (ids) => wakeForQuery(store, ids),
    },
    onError,
    onNote: (note) => logger.warn(note),
    sockets: config.dnsSockets,
    defence: { rateLimit: config.dnsRateLimit, cookieKey: await dnsCookieKey(config) },
  })
  return opened.use(nameserver)
}
