/**
 * Reads the records of a name at its nameservers: by zone transfer if allowed, else name by name.
 */
import type { TypeName } from '#dns/types.ts'
import type { Cut, Cuts } from './cuts.ts'
import {
  askCut,
  firstUsefulReply,
  followReferrals,
  type Inquiry,
  inquiry,
  nearestCut,
  paceQuery,
  type Reach,
} from './iterate.ts'
import type { Reply, Rr } from './reply.ts'
import { LookupFailed } from './resolver.ts'
import { transferZone } from './transfer.ts'

export type SurveyQuestion = { name: string; type: TypeName }

/** What to ask about a name. */
export type SurveyPlan = {
  questions: readonly SurveyQuestion[]
  /** The questions that follow from those answers. */
  furtherQuestions(found: readonly Rr[]): readonly SurveyQuestion[]
  /** Names of nameservers that are never a source. */
  except: readonly string[]
}

/**
 * What a name serves. `isWhole`: its servers gave the whole zone. Otherwise only the answers to the
 * questions are known, except the `unanswered` ones.
 */
export type Survey = {
  records: readonly Rr[]
  isWhole: boolean
  unanswered: readonly SurveyQuestion[]
}

export type Surveyor = {
  /**
   * All records of the zone where its servers transfer it; else those that answer the questions, with
   * aliases and cuts below the name. None if the name does not exist. Throws `LookupFailed` if no server
   * answers.
   */
  survey(name: string, wanted: SurveyPlan, signal: AbortSignal): Promise<Survey>
}

const SERVERS_TRIED = 2
/** More than any survey asks, referrals included. */
const QUESTIONS = 400
const SERVERS_CHECKED = 8
/** So many names are asked about at once. */
const NAMES_AT_ONCE = 8
/** Later answers do not count: a person waits for the result. */
const LIMIT_MS = 8000

export function surveyor(reach: Reach, cuts: Cuts): Surveyor {
  return {
    async survey(name, wanted, signal) {
      const asking = { ...inquiry(reach, cuts, 'asked', signal), questionsLeft: QUESTIONS }
      const cut = await zoneCutOf(asking, name)
      if (cut === undefined) return { records: [], isWhole: true, unanswered: [] }
      // The exceptions hold for the name, not for an enclosing zone.
      const sources = cut.zone === name ? without(cut, wanted.except) : cut
      const answering = await answeringServers(asking, sources, name)
      const whole = cut.zone === name ? await transferred(asking, answering) : undefined
      if (!whole)
        return askAll(cut.zone === name ? hurried(asking) : asking, answering, name, wanted)
      const records = whole.filter((rr) => rr.name !== name || rr.type !== 'NS')
      return { records, isWhole: true, unanswered: [] }
    },
  }
}

/** The survey's pace is only for the servers of this zone. */
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
  { questions, furtherQuestions }: SurveyPlan,
): Promise<Survey> {
  const limit = AbortSignal.timeout(LIMIT_MS)
  const round = (asked: readonly SurveyQuestion[]) => askRound(asking, cut, name, asked, limit)
  const first = await round(questions)
  const isNew = ({ name: at, type }: SurveyQuestion) =>
    !questions.some((each) => each.name === at && each.type === type)
  const second = await round(furtherQuestions(first.records).filter(isNew))
  return {
    records: [...first.records, ...second.records],
    isWhole: false,
    unanswered: [...first.unanswered, ...second.unanswered],
  }
}

type Round = { records: Rr[]; unanswered: SurveyQuestion[] }

/** Several names at once, and of each name one type after the other. */
async function askRound(
  asking: Inquiry,
  cut: Cut,
  name: string,
  questions: readonly SurveyQuestion[],
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

/** Asks for the types of one name. A nonexistent name has none of them (RFC 8020). */
async function askAbout(
  asking: Inquiry,
  cut: Cut,
  name: string,
  questions: readonly SurveyQuestion[],
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
async function answerTo(asking: Inquiry, cut: Cut, { name, type }: SurveyQuestion) {
  if (asking.signal.aborted) return undefined
  try {
    return await askCut(asking, cut, name, type)
  } catch (error) {
    if (error instanceof LookupFailed || asking.signal.aborted) return undefined
    throw error
  }
}

/** The records that answer, or the CNAME or cut in their place, and a DNAME above. */
function recordsAt(reply: Reply, name: string, asked: SurveyQuestion): Rr[] {
  const isAtName = (rr: Rr) => rr.name === asked.name
  const answers = reply.answers.filter(
    (rr) => (isAtName(rr) && [asked.type, 'CNAME'].includes(rr.type)) || rr.type === 'DNAME',
  )
  const cuts = reply.authorities.filter((rr) => isAtName(rr) && rr.type === 'NS')
  return asked.name === name ? answers : [...answers, ...cuts]
}

/** The cut with only the servers that answer for the name: repeated timeouts take too long. */
async function answeringServers(asking: Inquiry, cut: Cut, name: string): Promise<Cut> {
  const found = await Promise.all(
    cut.servers.slice(0, SERVERS_CHECKED).map(async (server) => {
      try {
        await askCut(asking, { ...cut, servers: [server] }, name, 'SOA')
        return [server]
      } catch (error) {
        if (error instanceof LookupFailed) return []
        throw error
      }
    }),
  )
  const servers = found.flat()
  if (servers.length === 0) throw new LookupFailed(`no server of ${cut.zone} answers for ${name}`)
  return { ...cut, servers }
}

/** The zone from the first of its servers that gives it. */
async function transferred(asking: Inquiry, { zone, servers }: Cut): Promise<Rr[] | undefined> {
  for (const { address } of servers.slice(0, SERVERS_TRIED)) {
    await paceQuery(asking, address)
    const port = asking.reach.dnsPort(address)
    const whole = await transferZone({ address, port }, zone, asking.signal)
    if (whole) return whole
  }
  return undefined
}

/** The zone the name is in and its servers; undefined when there is no such name. */
async function zoneCutOf(asking: Inquiry, name: string): Promise<Cut | undefined> {
  const ask = (cut: Cut) => firstUsefulReply(asking, cut, name, 'SOA')
  const { cut, reply } = await followReferrals(asking, name, await nearestCut(asking, name), ask)
  if (!reply) throw new LookupFailed(`no server of ${cut.zone || 'the root'} answers for ${name}`)
  return reply.rcode === 'NXDOMAIN' ? undefined : cut
}
