/** What a name serves now, asked of its present nameservers: whole where they give the zone, else by name. */
import type { RecordType } from 'dns-packet'
import {
  askCut,
  type Cut,
  type Inquiry,
  inquiry,
  type Reach,
  referralOf,
  rootCut,
  serversOf,
  spend,
} from './iterate.ts'
import type { Rr } from './reply.ts'
import { LookupFailed } from './resolver.ts'
import { transferZone } from './transfer.ts'

export type Asked = { name: string; type: RecordType }

export type Surveyor = {
  /**
   * All records of the zone where its servers give it; else those that answer the questions, aliases
   * and cuts below the name among them. Empty when the name is not there. Throws `LookupFailed` when one of them could not be asked.
   */
  survey(name: string, questions: readonly Asked[], signal: AbortSignal): Promise<readonly Rr[]>
}

const REFERRALS = 16
const SERVERS_TRIED = 2
/** More than any survey asks, with the walk that leads to it. */
const QUESTIONS = 300

export function surveyor(reach: Reach): Surveyor {
  return {
    async survey(name, questions, signal) {
      const asking = { ...inquiry(reach, 'asked', signal), questionsLeft: QUESTIONS }
      const cut = await zoneCutOf(asking, name)
      if (cut === undefined) return []
      const whole = cut.zone === name ? await transferred(asking, cut) : undefined
      if (whole) return whole.filter((rr) => rr.name !== name || rr.type !== 'NS')
      const found: Rr[] = []
      for (const { name: asked, type } of questions) {
        const reply = await askCut(asking, cut, asked, type)
        const isOf = (rr: Rr) => rr.name === asked
        found.push(...reply.answers.filter((rr) => isOf(rr) && [type, 'CNAME'].includes(rr.type)))
        if (asked !== name)
          found.push(...reply.authorities.filter((rr) => isOf(rr) && rr.type === 'NS'))
      }
      return found
    },
  }
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
async function zoneCutOf(asking: Inquiry, name: string) {
  let cut = rootCut(asking.reach)
  for (let step = 0; step < REFERRALS; step++) {
    const reply = await askCut(asking, cut, name, 'SOA')
    if (reply.rcode === 'NXDOMAIN') return undefined
    const next = referralOf(reply, name, cut.zone)
    if (next === undefined) return cut
    cut = await serversOf(asking, next, reply)
  }
  throw new LookupFailed(`${name} is referred on too often`)
}
