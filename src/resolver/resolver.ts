import type { TypeName } from '#dns/types.ts'
import type { Rr } from './reply.ts'

/** The result for a name and type. `records` is empty for NXDOMAIN and for NODATA. */
export type Lookup = { rcode: 'NOERROR' | 'NXDOMAIN'; records: readonly Rr[] }

/**
 * Resolves in the public DNS. Throws `LookupFailed` if no server answers; never returns that as
 * NODATA.
 */
export type Resolver = {
  /** `name` without trailing dot. CNAMEs are followed; `records` are those of the last name. */
  resolve(name: string, type: TypeName, signal: AbortSignal): Promise<Lookup>
}

/** No server gave a usable answer: the look-up says nothing about the name. */
export class LookupFailed extends Error {
  override readonly name = 'LookupFailed'
}
