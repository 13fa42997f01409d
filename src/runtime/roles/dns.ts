import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { absolute } from '#names/domain-name.ts'
import { writeEndpoint } from '#names/ip.ts'
import { lockDataDirectory } from '#postgres/lock.ts'
import type { SecondariesSettings } from '#servers/dns/transfer/secondaries.ts'
import { type CatalogStore, CHANGES_KEPT } from '#servers/dns/transfer/source.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import { type Nameserver, startNameserver, type ZoneFeed } from '#servers/nameserver.ts'
import { platformZones } from '#servers/platform-zones.ts'
import { PAYLOAD_FORMAT } from '#servers/served-name.ts'
import { ZoneLog } from '#servers/zone-log/zone-log.ts'
import { catalogStore } from '#store/catalog.ts'
import { type StoreContext, TOPICS } from '#store/context.ts'
import { wakeForQuery } from '#store/domains.ts'
import { platformSerial } from '#store/platform-serials.ts'
import { changedNames } from '#store/served-names.ts'
import { systemClock } from '../../clock.ts'
import type { BareRuntime, Runtime } from '../context.ts'
import { dnsCookieKey } from '../dns-cookie-key.ts'
import { livePlatform } from '../worlds.ts'
import { readServedNames } from './served-names.ts'

/**
 * Starts the `dns` role before the database is reachable: serves the zones in its log, and the
 * platform's live zones if they are configured.
 */
export async function openNameserver(
  { config, logger, opened, onError }: BareRuntime,
  isLive: boolean,
): Promise<Nameserver> {
  const log = new ZoneLog({
    path: join(config.dataDir, 'zones.log'),
    meta: PAYLOAD_FORMAT,
    now: () => Date.now(),
    lock: () => lockDataDirectory(config.dataDir, 'zones.pid'),
    onError,
  })
  opened.use(log)
  const nameserver = await startNameserver({
    listen: config.dnsListen,
    platform: isLive ? platformZones(livePlatform(config)) : [],
    log,
    secondaries: secondariesOf({ config, logger }),
    onError,
    onNote: (note) => logger.warn(note),
    sockets: config.dnsSockets,
    defence: { rateLimit: config.dnsRateLimit, cookieKey: await dnsCookieKey(config) },
  })
  opened.use(nameserver)
  if (log.mark) {
    const asOf = new Date(log.mark.at).toISOString()
    const dns = nameserver.listeners.map(writeEndpoint)
    logger.info({ dns, names: log.size }, `serves its zones as of ${asOf}`)
  }
  return nameserver
}

/** Makes the nameserver follow the database until the runtime ends. */
export async function followDatabase(
  runtime: Runtime,
  nameserver: Nameserver,
  isLive: boolean,
): Promise<void> {
  const { config, store, opened } = runtime
  const platform = isLive ? platformZones(livePlatform(config)) : []
  for (const zone of await withSerials(store, platform)) nameserver.serve(asMember(zone))
  const feed: ZoneFeed = {
    changed: (mark, page) => changedNames(store.db, mark, page),
    read: (names) => readServedNames(store.db, names),
    onChange: (heard) => store.doorbell.on(TOPICS.servedNames, heard),
    wake: (ids) => wakeForQuery(store, ids),
    catalog: catalogStoreOf(runtime),
  }
  opened.use(await nameserver.follow(feed))
}

/** Undefined if the settings name no secondary, no key and no address. */
function secondariesOf({
  config,
  logger,
}: Pick<BareRuntime, 'config' | 'logger'>): SecondariesSettings | undefined {
  const { secondaries, transferKeys, transferAddresses } = config
  if (secondaries.length + transferKeys.length + transferAddresses.length === 0) return undefined
  return {
    notify: config.secondaries,
    keys: config.transferKeys,
    addresses: config.transferAddresses,
    catalogApex: config.catalogZone && absolute(config.catalogZone),
    nowS: () => systemClock.now().getTime() / 1000,
    onTrouble: (sentence) => logger.warn(sentence),
  }
}

const catalogStoreOf = ({ config, store }: Runtime): CatalogStore | undefined =>
  config.catalogZone === undefined
    ? undefined
    : catalogStore(store, absolute(config.catalogZone), CHANGES_KEPT)

/** The platform's zones with their serials, which rise when the settings change their records. */
export function withSerials(
  { db }: StoreContext,
  zones: readonly ServedZone[],
): Promise<ServedZone[]> {
  const digestOf = ({ serial: _, ...content }: ServedZone) => sha256(JSON.stringify(content))
  return Promise.all(
    zones.map(async (zone) => ({
      ...zone,
      serial: await platformSerial(db, zone.apex, digestOf(zone)),
    })),
  )
}

const asMember = (zone: ServedZone): ServedZone => ({
  ...zone,
  memberId: `platform-${sha256(zone.apex).slice(0, 16)}`,
})

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
