import type { Answer, DecodedPacket } from 'dns-packet'

/** One record, its rdata in presentation form (a TXT as its joined, unquoted strings). */
export type Rr = { name: string; type: string; ttl: number; data: string }

/** An answer to one question, names in lower case without trailing dots. */
export type Reply = {
  rcode: string
  authoritative: boolean
  recursionAvailable: boolean
  answers: readonly Rr[]
  authorities: readonly Rr[]
  additionals: readonly Rr[]
}

export function toReply(decoded: DecodedPacket): Reply {
  return {
    rcode: (decoded as DecodedPacket & { rcode: string }).rcode,
    authoritative: decoded.flag_aa,
    recursionAvailable: decoded.flag_ra,
    answers: toRrs(decoded.answers),
    authorities: toRrs(decoded.authorities),
    additionals: toRrs(decoded.additionals),
  }
}

function toRrs(answers: readonly Answer[] | undefined): Rr[] {
  return (answers ?? []).flatMap((answer) => {
    const data = answer.type === 'OPT' ? undefined : presentation(answer)
    if (data === undefined) return []
    return [{ name: lower(answer.name), type: answer.type, ttl: ttlOf(answer), data }]
  })
}

// RFC 2181 section 8: a TTL with its top bit set means zero.
const ttlOf = (answer: Answer): number =>
  'ttl' in answer && typeof answer.ttl === 'number' && answer.ttl >= 0 ? answer.ttl : 0

const lower = (name: string): string => (name === '.' ? '' : name.toLowerCase())

/** Presentation form of the types we look at; undefined for the rest. */
function presentation(answer: Answer): string | undefined {
  switch (answer.type) {
    case 'A':
    case 'AAAA':
      return answer.data
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return lower(answer.data)
    case 'MX':
      return `${answer.data.preference ?? 0} ${lower(answer.data.exchange)}`
    case 'SRV':
      return `${answer.data.priority ?? 0} ${answer.data.weight ?? 0} ${answer.data.port} ${lower(answer.data.target)}`
    case 'CAA':
      return `${answer.data.flags ?? 0} ${answer.data.tag} ${answer.data.value}`
    case 'TXT':
      return [answer.data]
        .flat()
        .map((part) => part.toString())
        .join('')
    case 'DS':
      return `${answer.data.keyTag} ${answer.data.algorithm} ${answer.data.digestType} ${answer.data.digest.toString('hex')}`
    case 'SOA':
      return `${lower(answer.data.mname)} ${answer.data.serial ?? 0} ${answer.data.minimum ?? 0}`
    default:
      return undefined
  }
}
