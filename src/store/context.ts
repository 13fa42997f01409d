import type { Doorbell } from '#engine/doorbell.ts'
import type { Database } from './database.ts'
import type { Vault } from './vault.ts'

/** What every part of the store works with. */
export type StoreContext = { db: Database; doorbell: Doorbell; vault: Vault }

/** The doorbell's topics. */
export const TOPICS = {
  domainsDue: 'domains-due',
  outgoingDue: 'outgoing-due',
  probesDue: 'probes-due',
  copiesDue: 'copies-due',
  logInsEnded: 'log-ins-ended',
  sending: 'sending',
  servedNames: 'served-names',
  catalog: 'catalog',
  domain: (id: string) => `domain:${id}`,
} as const
