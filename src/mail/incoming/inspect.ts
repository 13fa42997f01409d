/** All slow work on a received message: runs in a worker, within its limits. */
import { zstdCompressSync } from 'node:zlib'
import { bufferOf } from '../content.ts'
import type { Inspected, InspectJob } from '../workers/protocol.ts'
import { type AskDns, authenticateMessage } from './authenticate.ts'
import { type Description, describe } from './describe.ts'
import { withoutForgedResults } from './forged-results.ts'
import { hasBareLineEnd, readHeader, writeHeader } from './header.ts'
import { BARE_LINE_END, HEADER_TOO_BIG, type Refused } from './refused.ts'

/** `onDescribed` receives the description before the message is judged, which may take too long. */
export async function inspect(
  { raw, session, hosts }: InspectJob,
  askAs: (host: number) => AskDns,
  onDescribed: (description: Description) => void,
): Promise<Refused | Inspected> {
  const octets = bufferOf(raw)
  // Receivers that take these for line ends read a different message (RFC 5321 section 2.3.8).
  if (hasBareLineEnd(octets)) return BARE_LINE_END
  const header = readHeader(octets)
  if (!header) return HEADER_TOO_BIG
  const body = octets.subarray(header.bodyAt)
  const description = await describe(header, body, session.envelopeSender)
  onDescribed(description)
  const judged = { header, body, session, author: description.author }
  const authentications = []
  for (const [index, host] of hosts.entries())
    authentications.push(await authenticateMessage(judged, host, askAs(index)))
  const head = writeHeader(withoutForgedResults(header.fields, hosts))
  const content = zstdCompressSync(Buffer.concat([head, body]))
  return {
    is: 'inspected',
    description,
    authentications,
    content: { encoding: 'zstd', octets: octets.length, content },
  }
}
