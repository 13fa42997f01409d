/** What zone transfers need from the rest of the server, and nothing else. */

/** All records of one name and type in wire form. */
export type TransferRRset = {
  /** Absolute and lowercase. */
  name: string
  type: number
  ttl: number
  records: readonly { octets: Buffer }[]
}

/** One version of a zone. It stays as it is, however long a transfer of it takes. */
export type TransferZone = {
  /** The label that the zone has in the catalog. A zone that is added anew has another. */
  memberId: string
  soa: TransferRRset
  /** Everything but the SOA, once for each call. */
  rrsets(): Iterable<TransferRRset>
}

export type TransferSource = {
  /**
   * The zone of an apex (absolute, lowercase) as it is now, if secondaries may have it. They know longest
   * match and nothing else, so a zone is given only where we answer with it at its own apex: one that is
   * shadowed by an enclosing zone would shadow that one there.
   */
  zone(apex: string): TransferZone | undefined
}

export type CatalogChange = { name: string; memberId: string; isAdded: boolean }

/**
 * The catalog as all processes share it. Each change counts the serial up by one, so equal serials mean
 * equal catalogs at every primary.
 */
export type CatalogStore = {
  /** All members by name, and the latest changes, oldest first, the last of which made the serial. */
  read(): Promise<{
    serial: number
    members: readonly (readonly [name: string, memberId: string])[]
    latest: readonly CatalogChange[]
  }>
  /** The changes since a serial; undefined when they are not kept any more. */
  since(serial: number): Promise<readonly CatalogChange[] | undefined>
  /**
   * Adds changes behind the serial, and says whether it did: false when the serial is another by now, or
   * when another process is the one that writes. No changes merely keep this process the one that writes.
   */
  write(serial: number, changes: readonly CatalogChange[]): Promise<boolean>
  /** Another process may write at once. */
  release(): Promise<void>
  /** Calls at every change that may be there to read. */
  onChange(heard: () => void): Disposable
}

/** How many of the latest changes of the catalog are kept. A secondary further behind takes it whole. */
export const CHANGES_KEPT = 100_000
