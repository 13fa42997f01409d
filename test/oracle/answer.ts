/** From the octets of a query to the octets of its reply. Pure: no socket, no clock, no counter. */

import { type Edns, type Query, readQuery } from '#dns/query.ts'
import { CLASS, RCODE, TYPE } from '#dns/types.ts'
import { type Outcome, onlyRcode, resolve } from './resolve.ts'
import { UDP_SIZE, writeReply } from './wire.ts'
import type { Zones } from './zones.ts'

export type Transport = 'udp' | 'tcp'

export type Answered = {
  reply: Buffer
  /** What was asked, absent if it could not be read. The name is absolute and lowercase. */
  question?: { name: string; type: number }
}

const MIN_UDP_SIZE = 512
const MAX_TCP_SIZE = 65_535

/** Undefined for what deserves no reply. */
export function answerQuery(
  message: Uint8Array,
  zones: Zones,
  transport: Transport,
): Answered | undefined {
  const query = readQuery(message)
  if (query === undefined) return undefined
  const outcome = outcomeOf(query, zones)
  const reply = writeReply(query, outcome, sizeLimit(transport, query.edns))
  if (query.question === undefined) return { reply }
  return { reply, question: { name: query.question.name, type: query.question.type } }
}

function outcomeOf({ rcode, question, edns }: Query, zones: Zones): Outcome {
  if (rcode !== RCODE.NOERROR || question === undefined) return onlyRcode(rcode)
  if (!isServed(question)) return onlyRcode(RCODE.REFUSED)
  const outcome = resolve({ ...question, isDnssecOk: edns?.isDnssecOk ?? false, zones })
  // RFC 1035 section 6.2: nobody has authority over every class.
  return question.class === CLASS.ANY ? { ...outcome, isAuthoritative: false } : outcome
}

/** We have the class IN only, and hand zones to nobody. */
function isServed({ class: qclass, type }: { class: number; type: number }): boolean {
  const isOurClass = qclass === CLASS.IN || qclass === CLASS.ANY
  return isOurClass && type !== TYPE.AXFR && type !== TYPE.IXFR
}

function sizeLimit(transport: Transport, edns: Edns | undefined): number {
  if (transport === 'tcp') return MAX_TCP_SIZE
  // RFC 6891 section 6.2.3: a size below 512 means 512.
  return Math.min(Math.max(edns?.udpSize ?? MIN_UDP_SIZE, MIN_UDP_SIZE), UDP_SIZE)
}
