import type { TypeName } from '#dns/types.ts'
import { exchange, NoAnswer, type Server } from './exchange.ts'
import { type Lookup, LookupFailed, type Resolver } from './resolver.ts'

/** Asks the recursive resolvers in their order, until one answers. */
export function stubResolver(servers: readonly Server[]): Resolver {
  return {
    async resolve(name, type, signal) {
      for (const server of servers) {
        const found = await ask(server, name, type, signal)
        if (found !== undefined) return found
      }
      throw new LookupFailed(`no resolver answers for ${name} ${type}`)
    },
  }
}

async function ask(
  server: Server,
  name: string,
  type: TypeName,
  signal: AbortSignal,
): Promise<Lookup | undefined> {
  try {
    const reply = await exchange(server, { name, type, recursive: true }, 'udp', signal)
    const records = reply.answers.filter((rr) => rr.type === type)
    if (reply.rcode === 'NXDOMAIN') return { rcode: 'NXDOMAIN', records: [] }
    return reply.rcode === 'NOERROR' ? { rcode: 'NOERROR', records } : undefined
  } catch (error) {
    if (error instanceof NoAnswer) return undefined
    throw error
  }
}
