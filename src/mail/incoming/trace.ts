/** The header fields that final delivery adds on top: origin and authentication results. */
import { isIPv6 } from 'node:net'
import type { Authentication } from './results.ts'
import type { Session } from './session.ts'

/** The trace fields, each with its CRLF. */
export function traceOf(
  session: Session,
  { header }: Pick<Authentication, 'header'>,
  host: string,
  now: Date = new Date(),
): string {
  return [
    // RFC 5321 section 4.4: the reverse-path at final delivery, then the Received field.
    `Return-Path: <${session.envelopeSender}>`,
    header,
    `Received: from ${session.helo || 'unknown'} (${literal(session.remoteAddress)})`,
    `\tby ${host} with ESMTP; ${now.toUTCString().replace('GMT', '+0000')}`,
    '',
  ].join('\r\n')
}

// RFC 5321 section 4.1.3.
const literal = (address: string): string =>
  isIPv6(address) ? `[IPv6:${address}]` : `[${address}]`
