/** What zone transfers need from the rest of the server. */

/** All records of one name and type in wire form. */
export type TransferRRset = {
  /** Absolute and lowercase. */
  name: string
  type: number
  ttl: number
  records: readonly { octets: Buffer }[]
}

/** One version of a zone. It never changes, however long a transfer takes. */
export type TransferZone = {
  /** The zone's label in the catalog. A zone that is removed and added again has another. */
  memberId: string
  soa: TransferRRset
  /** Everything but the SOA; each call starts anew. */
  rrsets(): Iterable<TransferRRset>
}

export type TransferSource = {
  /**
   * The present zone of an apex (absolute, lowercase), if secondaries may have it. They only know
   * longest match, so a zone is given only where we answer from it at its own apex: a zone shadowed by
   * an enclosing one would shadow that one at a secondary.
   */
  zone(apex: string): TransferZone | undefined
}

export type CatalogChange = { name: string; memberId: string; isAdded: boolean }

/**
 * The catalog that all processes share. Each change raises the serial by one, so equal serials mean
 * equal catalogs at every primary.
 */
export type CatalogStore = {
  /** All members by name, and the latest changes, oldest first, the last of which made the serial. */
  read(): Promise<{
    serial: number
    members: readonly (readonly [name: string, memberId: string])[]
    latest: readonly CatalogChange[]
  }>
  /** The changes since a serial; undefined when they are no longer kept. */
  since(serial: number): Promise<readonly CatalogChange[] | undefined>
  /**
   * Adds changes behind the serial; false when the serial is different by now, or when another process
   * is the writer. Without changes, it only renews this process's lease as the writer.
   */
  write(serial: number, changes: readonly CatalogChange[]): Promise<boolean>
  /** Lets another process write at once. */
  release(): Promise<void>
  /** Calls `heard` when there may be changes to read. */
  onChange(heard: () => void): Disposable
}

/** How many of the latest changes of the catalog are kept. A secondary further behind gets it whole. */
export const CHANGES_KEPT = 100_000
