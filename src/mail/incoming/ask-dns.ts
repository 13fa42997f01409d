/** Gives our resolver's answers in the form of `node:dns`, which the library expects. */
import { joinedTxt } from '#dns/txt.ts'
import type { TypeName } from '#dns/types.ts'
import { relative } from '#names/domain-name.ts'
import { LookupFailed, type Resolver } from '#resolver/resolver.ts'

/** `code` is an error code of `node:dns`. */
export type DnsAnswer = { records: readonly unknown[] } | { code: string; message: string }

export async function askDns(
  resolver: Resolver,
  name: string,
  type: string,
  signal: AbortSignal,
): Promise<DnsAnswer> {
  const asked = name.replace(/\.$/, '').toLowerCase()
  try {
    const { rcode, records } = await resolver.resolve(asked, type as TypeName, signal)
    if (rcode === 'NXDOMAIN') return { code: 'ENOTFOUND', message: `no ${name}` }
    if (records.length === 0) return { code: 'ENODATA', message: `no ${type} of ${name}` }
    return { records: records.map(({ data }) => asNode(type, data)) }
  } catch (error) {
    if (!(error instanceof LookupFailed) && !signal.aborted) throw error
    return { code: 'ESERVFAIL', message: String(error) }
  }
}

function asNode(type: string, data: string) {
  if (type === 'TXT') return [joinedTxt(data)]
  if (type !== 'MX') return relative(data)
  const [priority, exchange] = data.split(' ')
  return { priority: Number(priority), exchange: relative(exchange ?? '') }
}
