/** What a name serves now, asked of its present nameservers: a zone can rarely be had whole. */
import type { RecordType } from 'dns-packet'
import { askCut, inquiry, type Reach, referralOf, rootCut, serversOf } from './iterate.ts'
import type { Rr } from './reply.ts'
import { LookupFailed } from './resolver.ts'

export type Asked = { name: string; type: RecordType }

export type Surveyor = {
  /**
   * The records that answer the questions, aliases and cuts below the name among them; empty when the
   * name is not there. Throws `LookupFailed` when one of them could not be asked.
   */
  survey(name: string, questions: readonly Asked[], signal: AbortSignal): Promise<readonly Rr[]>
}

const REFERRALS = 16
/** More than any survey asks, with the walk that leads to it. */
const QUESTIONS = 300

export function surveyor(reach: Reach): Surveyor {
  return {
    async survey(name, questions, signal) {
      const asking = { ...inquiry(reach, 'asked', signal), questionsLeft: QUESTIONS }
      const cut = await zoneCutOf(asking, name)
      if (cut === undefined) return []
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

/** The zone the name is in and its servers; undefined when there is no such name. */
async function zoneCutOf(asking: ReturnType<typeof inquiry>, name: string) {
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
