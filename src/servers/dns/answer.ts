/** Turns the octets of a query into those of its reply. Pure: no socket, no clock, no counter. */
import { nameOf } from '#dns/name.ts'
import type { Transport } from './responder.ts'
import type { WireName } from './wire-name.ts'
import type { Zones } from './zones.ts'

export type { Transport } from './responder.ts'

export type Answered = {
  reply: Buffer
  /** The question, absent if unreadable. The name is absolute and lowercase. */
  question?: { name: string; type: number }
}

const MAX_REPLY_OCTETS = 65_535
const reply = new Uint8Array(MAX_REPLY_OCTETS)

/** Undefined for messages that get no reply. */
export function answerQuery(
  message: Uint8Array,
  { responder }: Zones,
  transport: Transport,
): Answered | undefined {
  const length = responder.answer(message, 0, message.length, transport, reply, 0)
  if (length === 0) return undefined
  const answered = { reply: Buffer.from(reply.subarray(0, length)) }
  const { hasQuestion, name, type } = responder.query
  return hasQuestion ? { ...answered, question: { name: textOf(name), type } } : answered
}

/** The absolute text of a name. */
export function textOf(name: WireName, from = 0): string {
  const labels = Array.from({ length: name.labels - from }, (_, i) => {
    const start = name.starts[from + i]!
    return Buffer.from(name.octets.subarray(start + 1, start + 1 + name.octets[start]!))
  })
  return nameOf(labels)
}
