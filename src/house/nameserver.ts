import { createHash } from 'node:crypto'
import { absolute } from '#names/domain-name.ts'
import type { SecondariesSettings } from '#servers/dns/transfer/secondaries.ts'
import { type CatalogStore, CHANGES_KEPT } from '#servers/dns/transfer/source.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import { type Nameserver, startNameserver } from '#servers/nameserver.ts'
import { platformZones } from '#servers/platform-zones.ts'
import { catalogStore } from '#store/catalog.ts'
import { type StoreContext, TOPICS } from '#store/context.ts'
import { wakeForQuery } from '#store/domains.ts'
import { platformSerial } from '#store/platform-serials.ts'
import { changedNames, readServedNames } from '#store/served-names.ts'
import { systemClock } from '../clock.ts'
import { dnsCookieKey } from './dns-cookie-key.ts'
import type { Foundation } from './foundation.ts'
import { livePlatform } from './worlds.ts'

/** The `dns` role. The platform's live names are served once there are any. */
export async function openNameserver(foundation: Foundation, isLive: boolean): Promise<Nameserver> {
  const { config, logger, store, opened, onError } = foundation
  const platform = isLive ? platformZones(livePlatform(config)) : []
  const nameserver = await startNameserver({
    listen: config.dnsListen,
    platform: (await withSerials(store, platform)).map(asMember),
    feed: {
      changed: (mark) => changedNames(store.db, mark),
      read: (names) => readServedNames(store.db, names),
      onChange: (heard) => store.doorbell.on(TOPICS.servedNames, heard),
      wake: (ids) => wakeForQuery(store, ids),
      catalog: catalogStoreOf(foundation),
    },
    secondaries: secondariesOf(foundation),
    onError,
    onNote: (note) => logger.warn(note),
    sockets: config.dnsSockets,
    defence: { rateLimit: config.dnsRateLimit, cookieKey: await dnsCookieKey(config) },
  })
  return opened.use(nameserver)
}

/** Undefined where the settings name no secondary and no key. */
function secondariesOf({ config, logger }: Foundation): SecondariesSettings | undefined {
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

const catalogStoreOf = ({ config, store }: Foundation): CatalogStore | undefined =>
  config.catalogZone === undefined
    ? undefined
    : catalogStore(store, absolute(config.catalogZone), CHANGES_KEPT)

/** The platform's zones with serials that rise when the settings change what is in them. */
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
