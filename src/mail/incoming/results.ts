/** The results of authentication in the words of RFC 8601; does not load the library that finds them. */
import { domainOf } from '#names/localpart.ts'
import type { Session } from './session.ts'

/** As stored with a message, and shown. Results are the words of RFC 8601 section 2.7. */
export type Authentication = {
  spf: { result: string; domain: string; aligned: boolean }
  dkim: { result: string; domain: string; aligned: boolean }
  dmarc: { result: string; policy: string }
  /** The Authentication-Results field with the same results, without its CRLF. */
  header: string
}

export type Results = Omit<Authentication, 'header'>

/** For messages of our own, which nobody checks. */
export const NOT_CHECKED: Authentication = {
  spf: { result: 'none', domain: '', aligned: false },
  dkim: { result: 'none', domain: '', aligned: false },
  dmarc: { result: 'none', policy: 'none' },
  header: '',
}

/** The author and the session of a message. */
export type Attributed = { session: Session; author: string }

/** The results for a message whose judging took too much time or memory. */
export const notJudged = (message: Attributed, mta: string): Authentication =>
  writeResults(
    {
      spf: { result: 'temperror', domain: '', aligned: false },
      dkim: { result: 'temperror', domain: '', aligned: false },
      dmarc: { result: 'temperror', policy: 'none' },
    },
    message,
    mta,
  )

/** The results of the host `mta`, with their header field (RFC 8601 section 2.2). */
export function writeResults(
  results: Results,
  { session, author }: Attributed,
  mta: string,
): Authentication {
  const { spf, dkim, dmarc } = results
  const from = domainOf(author)
  const identity = session.envelopeSender
    ? property('smtp.mailfrom', domainOf(session.envelopeSender))
    : property('smtp.helo', session.helo)
  const methods = [
    `spf=${spf.result}${identity}`,
    `dkim=${dkim.result}${property('header.d', dkim.domain)}`,
    `dmarc=${dmarc.result}${property('header.from', from)}`,
  ]
  const header = `Authentication-Results: ${mta};\r\n ${methods.join(';\r\n ')}`
  return { ...results, header }
}

const PROPERTY_LIMIT = 255

/** RFC 8601 section 2.2: a value is a token or a quoted string. */
function property(name: string, value: string): string {
  const bounded = value.replace(/[^\x20-\x7e]/g, '').slice(0, PROPERTY_LIMIT)
  if (bounded === '') return ''
  const isToken = /^[A-Za-z0-9!#$%&'*+.^_`{|}~-]+$/.test(bounded)
  return ` ${name}=${isToken ? bounded : `"${bounded.replace(/["\\]/g, '\\$&')}"`}`
}
