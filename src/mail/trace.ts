/** What final delivery writes on top of a message: where it came from, and what was thought of it. */
import { isIPv6 } from 'node:net'
import type { Authentication, Session } from '#servers/smtp/judge.ts'

/** The message with its trace, and without judgements somebody else signed with our name. */
export function stampMessage(
  raw: Buffer,
  session: Session,
  { header }: Authentication,
  host: string,
  now: Date = new Date(),
): Buffer {
  const trace = [
    // RFC 5321 section 4.4: the reverse-path at final delivery, then how it came in.
    `Return-Path: <${session.envelopeSender}>`,
    header.trimEnd(),
    `Received: from ${session.helo || 'unknown'} (${literal(session.remoteAddress)})`,
    `\tby ${host} with ESMTP; ${now.toUTCString().replace('GMT', '+0000')}`,
  ]
  return Buffer.concat([Buffer.from(`${trace.join('\r\n')}\r\n`), withoutForgeries(raw, host)])
}

// RFC 5321 section 4.1.3.
const literal = (address: string): string =>
  isIPv6(address) ? `[IPv6:${address}]` : `[${address}]`

/** RFC 8601 section 5: what claims to be our own judgement and came from outside is taken out. */
function withoutForgeries(raw: Buffer, host: string): Buffer {
  const end = raw.indexOf('\r\n\r\n')
  if (end < 0) return raw
  const fields = raw.toString('latin1', 0, end).split(/\r\n(?![ \t])/)
  const kept = fields.filter((field) => !isJudgementBy(field, host))
  if (kept.length === fields.length) return raw
  return Buffer.concat([Buffer.from(kept.join('\r\n'), 'latin1'), raw.subarray(end)])
}

function isJudgementBy(field: string, host: string): boolean {
  const authority = /^authentication-results[ \t]*:\s*([^\s;]+)/i.exec(field)?.[1]
  return authority?.toLowerCase() === host
}
