/** How an emulator queries the DNS: at the nameservers it was given, without a resolver. */
import type { TypeName } from '#dns/types.ts'
import { exchange, NoAnswer, type Server } from '#resolver/exchange.ts'

/** The rdata at a name in presentation form, TXT joined. Empty when there is none. */
export type Ask = (name: string, type: TypeName) => Promise<readonly string[]>

const LIMIT_MS = 10_000

/** Asks each server until one is authoritative for the name. Throws when none could be asked. */
export function askServers(servers: () => readonly Server[]): Ask {
  return async (name, type) => {
    let couldAsk = false
    for (const server of servers()) {
      const found = await askOne(server, name, type)
      if (found !== undefined) couldAsk = true
      if (found?.isAuthoritative) return found.data
    }
    if (!couldAsk) throw new Error(`no nameserver answers for ${name}`)
    return []
  }
}

async function askOne(server: Server, name: string, type: TypeName) {
  try {
    const question = { name, type, recursive: false }
    const reply = await exchange(server, question, 'udp', AbortSignal.timeout(LIMIT_MS))
    const data = reply.answers.filter((rr) => rr.type === type).map((rr) => rr.data)
    return { isAuthoritative: reply.authoritative, data }
  } catch (error) {
    if (error instanceof NoAnswer) return undefined
    throw error
  }
}
