/**
 * What the parent's own servers say about the delegation of a name. No cache is involved, so a change at
 * the registrar is seen in the first answer after the registry has published it.
 */
import { ancestorsOf, relative } from '#names/domain-name.ts'
import type { Cut, Cuts, NamedServer } from './cuts.ts'
import { exchange, NoAnswer, type Transport } from './exchange.ts'
import {
  addressed,
  followReferrals,
  type Inquiry,
  inquiry,
  nearestCut,
  paceQuery,
  type Reach,
  referralOf,
} from './iterate.ts'
import type { Urgency } from './pace.ts'
import type { Reply, Rr } from './reply.ts'
import { LookupFailed } from './resolver.ts'

/** The answer of one server of the parent, or the reason for none. */
export type ParentAnswer = NamedServer & {
  transport: Transport
  outcome: ParentOutcome
  /** The NS names it showed, sorted, without trailing dots. */
  nameservers: readonly string[]
  ds: readonly string[]
  authoritative: boolean
  /** How long the answer may be kept, in seconds; null where it does not say. */
  ttl: number | null
  ms: number
}

/**
 * `delegated` a referral to the name; `no_cut` the name exists in the parent; `nxdomain` it does not;
 * `authoritative` the server answers for the name itself; `intercepted` something without authority,
 * or that offers recursion, answered in a root server's place; the rest are no answers at all.
 */
export type ParentOutcome =
  | 'delegated'
  | 'no_cut'
  | 'nxdomain'
  | 'authoritative'
  | 'intercepted'
  | 'refused'
  | 'servfail'
  | 'timeout'
  | 'unreachable'
  | 'malformed'

/** The answers of the servers that were asked; `serverCount` is how many names of servers the parent has. */
export type ParentLook = { parent: string; serverCount: number; answers: readonly ParentAnswer[] }

export type Extent = 'one' | 'all'

export type Observer = {
  /**
   * Asks `one` of the parent's servers, in turn, over UDP; or `all` of them over TCP.
   * Throws `LookupFailed` when the parent itself cannot be found.
   */
  look(name: string, extent: Extent, urgency: Urgency, signal: AbortSignal): Promise<ParentLook>
  /** Asks the nameservers themselves; those that serve the name give `authoritative`. */
  serving(
    name: string,
    nameservers: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly ParentAnswer[]>
}

/** `nextTurn` counts up, to ask all servers of a parent equally often. */
export function parentObserver(reach: Reach, cuts: Cuts, nextTurn: () => number): Observer {
  /** Descends to the zone whose servers, asked for the name, refer to it or answer about it. */
  async function findParent(inquiry: Inquiry, name: string) {
    let last: Asked | undefined
    const ask = async (cut: Cut) => {
      last = await askAny(inquiry, cut, name, nextTurn())
      return isUseful(last.answer) ? last.reply : undefined
    }
    const from = await nearestCut(inquiry, ancestorsOf(name)[0] ?? '')
    const { cut } = await followReferrals(inquiry, name, from, ask, 'name')
    return { cut, answer: last!.answer }
  }

  return {
    async serving(name, nameservers, signal) {
      const asking = inquiry(reach, cuts, 'routine', signal)
      const servers = await addressed(asking, nameservers)
      const cut = { zone: name, servers, isRemembered: false }
      const asked = cut.servers.map((server) => askServer(asking, cut, server, name, 'udp'))
      return (await Promise.all(asked)).map(({ answer }) => answer)
    },
    async look(name, extent, urgency, signal) {
      const looking = inquiry(reach, cuts, urgency, signal)
      const { cut, answer } = await findParent(looking, name)
      const answers = extent === 'one' ? [answer] : await askAll(looking, cut, name)
      // A server with authority is not the parent (any more): forget the cut.
      const isStale = answers.some(({ outcome }) => outcome === 'authoritative')
      if (isStale || !answers.some(isAnswer)) cuts.forget(cut)
      return {
        parent: cut.zone,
        serverCount: new Set(cut.servers.map((server) => server.name)).size,
        answers,
      }
    },
  }
}

/** Whether the server said something about the name. */
export const isAnswer = ({ outcome }: ParentAnswer): boolean =>
  outcome === 'delegated' ||
  outcome === 'no_cut' ||
  outcome === 'nxdomain' ||
  outcome === 'authoritative'

type Asked = { reply?: Reply; answer: ParentAnswer }

/** Asks one server after the other, beginning with number `turn`, until one answers. */
async function askAny(inquiry: Inquiry, cut: Cut, name: string, turn: number): Promise<Asked> {
  let last: Asked | undefined
  for (let tried = 0; tried < cut.servers.length; tried++) {
    const server = cut.servers[(turn + tried) % cut.servers.length]!
    last = await askServer(inquiry, cut, server, name, 'udp')
    if (last.reply !== undefined && isUseful(last.answer)) return last
  }
  if (last === undefined) throw new LookupFailed(`${cut.zone} has no servers`)
  return last
}

const isUseful = (answer: ParentAnswer): boolean =>
  isAnswer(answer) || answer.outcome === 'intercepted'

async function askAll(inquiry: Inquiry, cut: Cut, name: string): Promise<ParentAnswer[]> {
  const asked = cut.servers.map((server) => askServer(inquiry, cut, server, name, 'tcp'))
  return (await Promise.all(asked)).map(({ answer }) => answer)
}

async function askServer(
  inquiry: Inquiry,
  cut: Cut,
  server: NamedServer,
  name: string,
  transport: Transport,
): Promise<Asked> {
  let began = performance.now()
  const turn = async () => {
    await paceQuery(inquiry, server.address)
    began = performance.now()
  }
  const elapsed = () => Math.round(performance.now() - began)
  try {
    const endpoint = { address: server.address, port: inquiry.reach.dnsPort(server.address) }
    const question = { name, type: 'NS' as const, recursive: false }
    const reply = await exchange(endpoint, question, transport, inquiry.signal, turn)
    return { reply, answer: { ...server, ...readAnswer(reply, name, cut.zone), ms: elapsed() } }
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    const { outcome } = error
    return { answer: { ...server, ...NOTHING, transport, outcome, ms: elapsed() } }
  }
}

const NOTHING = { nameservers: [], ds: [], authoritative: false, ttl: null }

function readAnswer(reply: Reply & { transport: Transport }, name: string, zone: string) {
  const shown = [...reply.authorities, ...reply.answers].filter((rr) => rr.name === name)
  const ns = shown.filter((rr) => rr.type === 'NS')
  return {
    transport: reply.transport,
    outcome: outcomeOf(reply, name, zone),
    nameservers: ns.map((rr) => relative(rr.data)).toSorted(),
    ds: shown.filter((rr) => rr.type === 'DS').map((rr) => rr.data),
    authoritative: reply.authoritative,
    ttl: ttlOf(reply, shown),
  }
}

/** The longest TTL of the NS and DS; for a negative answer, that of RFC 2308 section 5. */
function ttlOf({ authorities }: Reply, shown: readonly Rr[]): number | null {
  const ttls = shown.filter(({ type }) => type === 'NS' || type === 'DS').map(({ ttl }) => ttl)
  if (ttls.length > 0) return Math.max(...ttls)
  const soa = authorities.find(({ type }) => type === 'SOA')
  return soa ? Math.min(soa.ttl, Number(soa.data.split(' ').at(-1))) : null
}

/** Whether a root server sent the reply: it offers no recursion, and is authoritative or refers. */
const isOfRoot = (reply: Reply, name: string): boolean =>
  !reply.recursionAvailable &&
  (reply.authoritative || reply.rcode === 'REFUSED' || referralOf(reply, name, '') !== undefined)

function outcomeOf(reply: Reply, name: string, zone: string): ParentOutcome {
  if (zone === '' && !isOfRoot(reply, name)) return 'intercepted'
  if (reply.rcode === 'NXDOMAIN') return 'nxdomain'
  if (reply.rcode === 'REFUSED') return 'refused'
  if (reply.rcode !== 'NOERROR') return 'servfail'
  if (referralOf(reply, name, zone) !== undefined) return 'delegated'
  if (!reply.authoritative) return 'malformed'
  return reply.answers.length > 0 ? 'authoritative' : 'no_cut'
}
