/** Decodes DNS replies. */
import { type Message, type MessageRecord, readMessage } from '#dns/message.ts'
import { rdataFromWire, type ServedType } from '#dns/rdata.ts'
import { CLASS, nameOfRcode, nameOfType } from '#dns/types.ts'

/** One record. `name` is in lower case without a trailing dot, `data` the canonical text of its rdata. */
export type Rr = { name: string; type: string; ttl: number; data: string }

/** A reply to one query. */
export type Reply = {
  rcode: string
  authoritative: boolean
  recursionAvailable: boolean
  answers: readonly Rr[]
  authorities: readonly Rr[]
  additionals: readonly Rr[]
}

export function toReply(message: Message): Reply {
  return {
    rcode: nameOfRcode(message.rcode),
    authoritative: message.isAuthoritative,
    recursionAvailable: message.recursionAvailable,
    answers: toRrs(message.answers),
    authorities: toRrs(message.authorities),
    additionals: toRrs(message.additionals),
  }
}

const toRrs = (records: readonly MessageRecord[]): Rr[] =>
  records.filter((record) => record.class === CLASS.IN).map(toRr)

function toRr({ name, type, ttl, rdata }: MessageRecord): Rr {
  const word = nameOfType(type)
  return {
    name: name.slice(0, -1),
    type: word,
    ttl,
    data: rdataFromWire(word as ServedType, rdata),
  }
}

/** Undefined if the octets are no DNS message. */
export function decode(octets: Uint8Array): Message | undefined {
  try {
    return readMessage(octets)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
