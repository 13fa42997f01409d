import type { TypeName } from '#dns/types.ts'
import type { Rr } from './reply.ts'

/** What the DNS says of a name and type. `records` is empty for NXDOMAIN and NODATA alike. */
export type Lookup = { rcode: 'NOERROR' | 'NXDOMAIN'; records: readonly Rr[] }

/** Asks the public DNS. An inability to ask is thrown as `LookupFailed`, never answered as "nothing". */
export type Resolver = {
  /** `name` without trailing dot. CNAMEs are followed; `records` are those of the last name. */
  resolve(name: string, type: TypeName, signal: AbortSignal): Promise<Lookup>
}

/** The question could not be asked, or was not answered usefully: it says nothing about the name. */
export class LookupFailed extends Error {
  override readonly name = 'LookupFailed'
}
