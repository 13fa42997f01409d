import { join } from 'node:path'
import { writeEndpoint } from '#names/ip.ts'
import { PAYLOADS } from '#servers/fed-name.ts'
import { type Nameserver, startNameserver } from '#servers/nameserver.ts'
import { platformZones } from '#servers/platform-zones.ts'
import { ZoneLog } from '#servers/zone-log/zone-log.ts'
import { TOPICS } from '#store/context.ts'
import { wakeForQuery } from '#store/domains.ts'
import { lockDataDirectory } from '#store/embedded-postgres/lock.ts'
import { changedNames, readServedNames } from '#store/served-names.ts'
import type { Foundation, Ground } from './foundation.ts'
import { livePlatform } from './worlds.ts'

/**
 * The `dns` role, before the database is there: it serves what its log holds. The platform's live names are
 * served once there are any.
 */
export async function openNameserver(
  { config, logger, opened, onError }: Ground,
  isLive: boolean,
): Promise<Nameserver> {
  const log = new ZoneLog({
    path: join(config.dataDir, 'zones.log'),
    meta: PAYLOADS,
    now: () => Date.now(),
    lock: () => lockDataDirectory(config.dataDir, 'zones.pid'),
    onError,
  })
  opened.use(log)
  const nameserver = await startNameserver({
    listen: config.dnsListen,
    platform: isLive ? platformZones(livePlatform(config)) : [],
    log,
    onError,
  })
  opened.use(nameserver)
  if (log.mark) {
    const asOf = new Date(log.mark.at).toISOString()
    const dns = nameserver.listeners.map(writeEndpoint)
    logger.info({ dns, names: log.size }, `serves its zones as of ${asOf}`)
  }
  return nameserver
}

/** And with the database: the nameserver follows it until the foundation goes. */
export async function followDatabase(
  { store, opened }: Foundation,
  nameserver: Nameserver,
): Promise<void> {
  const following = await nameserver.follow({
    changed: (mark, page) => changedNames(store.db, mark, page),
    read: (names) => readServedNames(store.db, names),
    onChange: (heard) => store.doorbell.on(TOPICS.servedNames, heard),
    wake: (ids) => wakeForQuery(store, ids),
  })
  opened.use(following)
}
