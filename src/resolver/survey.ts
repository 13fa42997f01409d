/** What a name serves now, asked of its present nameservers: whole where they give the zone, else by name. */
import type { RecordType } from 'dns-packet'
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
import type { Rr } from './reply.ts'
import { LookupFailed } from './resolver.ts'
import { transferZone } from './transfer.ts'

export type Asked = { name: string; type: RecordType }

/** `isComplete` unless some of the questions found no answer. */
export type Survey = { records: readonly Rr[]; isComplete: boolean }

export type Surveyor = {
  /**
   * All records of the zone where its servers give it; else those that answer the questions, aliases
   * and cuts below the name among them. None when the name is not there. Throws `LookupFailed` when
   * there is nobody who answers.
   */
  survey(name: string, questions: readonly Asked[], signal: AbortSignal): Promise<Survey>
}

const SERVERS_TRIED = 2
/** More than any survey asks, with the walk that leads to it. */
const QUESTIONS = 300
const SERVERS_HEARD = 8
/** So many questions in vain, and the rest is not asked. */
const SILENCES = 3

export function surveyor(reach: Reach, cuts: Cuts): Surveyor {
  return {
    async survey(name, questions, signal) {
      const asking = { ...inquiry(reach, cuts, 'asked', signal), questionsLeft: QUESTIONS }
      const cut = await zoneCutOf(asking, name)
      if (cut === undefined) return { records: [], isComplete: true }
      const heard = await heardOf(asking, cut, name)
      const whole = cut.zone === name ? await transferred(asking, heard) : undefined
      if (!whole) return askAll(asking, heard, name, questions)
      const records = whole.filter((rr) => rr.name !== name || rr.type !== 'NS')
      return { records, isComplete: true }
    },
  }
}

async function askAll(
  asking: Inquiry,
  cut: Cut,
  name: string,
  questions: readonly Asked[],
): Promise<Survey> {
  const records: Rr[] = []
  let silences = 0
  for (const { name: asked, type } of questions) {
    try {
      const reply = await askCut(asking, cut, asked, type)
      const isOf = (rr: Rr) => rr.name === asked
      records.push(...reply.answers.filter((rr) => isOf(rr) && [type, 'CNAME'].includes(rr.type)))
      if (asked !== name)
        records.push(...reply.authorities.filter((rr) => isOf(rr) && rr.type === 'NS'))
    } catch (error) {
      if (!(error instanceof LookupFailed)) throw error
      if (++silences === SILENCES) break
    }
  }
  return { records, isComplete: silences === 0 }
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
