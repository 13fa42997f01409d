/** What a name serves now, asked of its present nameservers: whole where they give the zone, else by name. */
import type { TypeName } from '#dns/types.ts'
import type { Cut, Cuts } from './cuts.ts'
import {
  askCut,
  descend,
  heardFrom,
  type Inquiry,
  inquiry,
  nearestCut,
  type Reach,
  spend,
} from './iterate.ts'
import type { Reply, Rr } from './reply.ts'
import { LookupFailed } from './resolver.ts'
import { transferZone } from './transfer.ts'

export type Asked = { name: string; type: TypeName }

/** What to ask about a name. */
export type Wanted = {
  questions: readonly Asked[]
  /** What the answers to those give reason to ask as well. */
  furtherQuestions(found: readonly Rr[]): readonly Asked[]
  /** Names of nameservers that are never a source. */
  except: readonly string[]
}

/**
 * What a name serves. `isWhole` where its servers gave the whole zone; elsewhere only what was asked for
 * is known, and of that not what no server answered: `unanswered`.
 */
export type Survey = { records: readonly Rr[]; isWhole: boolean; unanswered: readonly Asked[] }

export type Surveyor = {
  /**
   * All records of the zone where its servers give it; else those that answer the questions, aliases
   * and cuts below the name among them. None when the name is not there. Throws `LookupFailed` when
   * there is nobody who answers.
   */
  survey(name: string, wanted: Wanted, signal: AbortSignal): Promise<Survey>
}

const SERVERS_TRIED = 2
/** More than any survey asks, with the walk that leads to it. */
const QUESTIONS = 400
const SERVERS_HEARD = 8
/** So many names are asked about at once. */
const NAMES_AT_ONCE = 8
/** What is not answered by then is unanswered: somebody waits for the whole. */
const LIMIT_MS = 8000

export function surveyor(reach: Reach, cuts: Cuts): Surveyor {
  return {
    async survey(name, wanted, signal) {
      const asking = { ...inquiry(reach, cuts, 'asked', signal), questionsLeft: QUESTIONS }
      const cut = await zoneCutOf(asking, name)
      if (cut === undefined) return { records: [], isWhole: true, unanswered: [] }
      // Servers that are no source for the name are one for the zone around it.
      const sources = cut.zone === name ? without(cut, wanted.except) : cut
      const heard = await heardOf(asking, sources, name)
      const whole = cut.zone === name ? await transferred(asking, heard) : undefined
      if (!whole) return askAll(cut.zone === name ? hurried(asking) : asking, heard, name, wanted)
      const records = whole.filter((rr) => rr.name !== name || rr.type !== 'NS')
      return { records, isWhole: true, unanswered: [] }
    },
  }
}

/** Once it is known whose servers they are: those of this zone alone are asked so much at once. */
const hurried = (asking: Inquiry): Inquiry => ({
  ...asking,
  reach: { ...asking.reach, pace: asking.reach.surveyPace ?? asking.reach.pace },
})

const without = (cut: Cut, except: readonly string[]): Cut => ({
  ...cut,
  servers: cut.servers.filter((server) => !except.includes(server.name)),
})

async function askAll(
  asking: Inquiry,
  cut: Cut,
  name: string,
  { questions, furtherQuestions }: Wanted,
): Promise<Survey> {
  const limit = AbortSignal.timeout(LIMIT_MS)
  const round = (asked: readonly Asked[]) => askRound(asking, cut, name, asked, limit)
  const first = await round(questions)
  const isNew = ({ name: at, type }: Asked) =>
    !questions.some((each) => each.name === at && each.type === type)
  const second = await round(furtherQuestions(first.records).filter(isNew))
  return {
    records: [...first.records, ...second.records],
    isWhole: false,
    unanswered: [...first.unanswered, ...second.unanswered],
  }
}

type Round = { records: Rr[]; unanswered: Asked[] }

/** Several names at once, and of each name one type after the other. */
async function askRound(
  asking: Inquiry,
  cut: Cut,
  name: string,
  questions: readonly Asked[],
  limit: AbortSignal,
): Promise<Round> {
  const round: Round = { records: [], unanswered: [] }
  const left = [...Map.groupBy(questions, (asked) => asked.name).values()]
  const within = { ...asking, signal: AbortSignal.any([asking.signal, limit]) }
  const lane = async () => {
    for (let asked = left.shift(); asked; asked = left.shift()) {
      await askAbout(within, cut, name, asked, round)
    }
  }
  await Promise.all(Array.from({ length: NAMES_AT_ONCE }, lane))
  asking.signal.throwIfAborted()
  return round
}

/** The types that are asked at one name. Where the name is not there, it has none of them (RFC 8020). */
async function askAbout(
  asking: Inquiry,
  cut: Cut,
  name: string,
  questions: readonly Asked[],
  round: Round,
): Promise<void> {
  for (const asked of questions) {
    const reply = await answerTo(asking, cut, asked)
    if (reply === undefined) round.unanswered.push(asked)
    else round.records.push(...recordsAt(reply, name, asked))
    if (reply?.rcode === 'NXDOMAIN') return
  }
}

/** Undefined when no server answers, or not in time. */
async function answerTo(asking: Inquiry, cut: Cut, { name, type }: Asked) {
  if (asking.signal.aborted) return undefined
  try {
    return await askCut(asking, cut, name, type)
  } catch (error) {
    if (error instanceof LookupFailed || asking.signal.aborted) return undefined
    throw error
  }
}

/** What answers the question, the alias or the cut that stands there instead, and a DNAME above it. */
function recordsAt(reply: Reply, name: string, asked: Asked): Rr[] {
  const isAtName = (rr: Rr) => rr.name === asked.name
  const answers = reply.answers.filter(
    (rr) => (isAtName(rr) && [asked.type, 'CNAME'].includes(rr.type)) || rr.type === 'DNAME',
  )
  const cuts = reply.authorities.filter((rr) => isAtName(rr) && rr.type === 'NS')
  return asked.name === name ? answers : [...answers, ...cuts]
}

/** The cut with those of its servers that answer for the name: waiting for a dead one again and again takes too long. */
async function heardOf(asking: Inquiry, cut: Cut, name: string): Promise<Cut> {
  const heard = await Promise.all(
    cut.servers.slice(0, SERVERS_HEARD).map(async (server) => {
      try {
        await askCut(asking, { ...cut, servers: [server] }, name, 'SOA')
        return [server]
      } catch (error) {
        if (error instanceof LookupFailed) return []
        throw error
      }
    }),
  )
  const servers = heard.flat()
  if (servers.length === 0) throw new LookupFailed(`no server of ${cut.zone} answers for ${name}`)
  return { ...cut, servers }
}

/** The zone from the first of its servers that gives it. */
async function transferred(asking: Inquiry, { zone, servers }: Cut): Promise<Rr[] | undefined> {
  for (const { address } of servers.slice(0, SERVERS_TRIED)) {
    await spend(asking, address)
    const port = asking.reach.dnsPort(address)
    const whole = await transferZone({ address, port }, zone, asking.signal)
    if (whole) return whole
  }
  return undefined
}

/** The zone the name is in and its servers; undefined when there is no such name. */
async function zoneCutOf(asking: Inquiry, name: string): Promise<Cut | undefined> {
  const ask = (cut: Cut) => heardFrom(asking, cut, name, 'SOA')
  const { cut, reply } = await descend(asking, name, await nearestCut(asking, name), ask)
  if (!reply) throw new LookupFailed(`no server of ${cut.zone || 'the root'} answers for ${name}`)
  return reply.rcode === 'NXDOMAIN' ? undefined : cut
}
