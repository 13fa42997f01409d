/** What the public DNS says of a message that came in: SPF, DKIM and DMARC, by a library. */
import { type AuthenticateResult, authenticate, type DNSResolver } from 'mailauth'
import { joinedTxt } from '#dns/txt.ts'
import type { TypeName } from '#dns/types.ts'
import { relative } from '#names/domain-name.ts'
import { LookupFailed, type Resolver } from '#resolver/resolver.ts'

/** As kept with a message, and shown. Results are the words of RFC 8601 section 2.7. */
export type Authentication = {
  spf: { result: string; domain: string; aligned: boolean }
  dkim: { result: string; domain: string; aligned: boolean }
  dmarc: { result: string; policy: string }
  /** The Authentication-Results header that says the same. */
  header: string
}

/** The session a message came in. `envelopeSender` is '' for the null reverse-path. */
export type Session = { remoteAddress: string; helo: string; envelopeSender: string }

const JUDGE_LIMIT_MS = 20_000

/** Judges a message as `mta`. A resolver that cannot be asked makes a result `temperror`. */
export async function judgeMessage(
  raw: Buffer,
  session: Session,
  mta: string,
  resolver: Resolver,
  signal: AbortSignal,
): Promise<Authentication> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(JUDGE_LIMIT_MS)])
  const result = await authenticate(raw, {
    ip: session.remoteAddress,
    helo: session.helo,
    sender: session.envelopeSender,
    mta,
    strict: true,
    disableArc: true,
    disableBimi: true,
    resolver: ((name: string, type: string) =>
      resolveLikeNode(resolver, name, type, limit)) as DNSResolver,
  })
  return readResult(result)
}

function readResult({ spf, dkim, dmarc, headers }: AuthenticateResult): Authentication {
  const signature = bestSignature(dkim.results)
  const alignment = dmarc === false ? undefined : dmarc.alignment
  return {
    spf: {
      result: spf === false ? 'none' : spf.status.result,
      domain: spf === false ? '' : spf.domain,
      aligned: Boolean(alignment?.spf.result),
    },
    dkim: {
      result: signature?.status.result ?? 'none',
      domain: signature?.signingDomain ?? '',
      aligned: Boolean(alignment?.dkim.result),
    },
    dmarc:
      dmarc === false
        ? { result: 'none', policy: 'none' }
        : { result: dmarc.status.result, policy: dmarc.policy },
    header:
      headers.split(/\r?\n(?=[^ \t])/).find((line) => /^authentication-results:/i.test(line)) ?? '',
  }
}

/** Of several signatures, the one that says most for the message: passed and aligned before passed. */
function bestSignature(results: AuthenticateResult['dkim']['results']) {
  const worth = (result: (typeof results)[number]) =>
    (result.status.result === 'pass' ? 2 : 0) + (result.status.aligned ? 1 : 0)
  return results.toSorted((a, b) => worth(b) - worth(a))[0]
}

/** The library asks as one asks `node:dns`: arrays, and errors with codes. */
async function resolveLikeNode(
  resolver: Resolver,
  name: string,
  type: string,
  signal: AbortSignal,
) {
  const asked = name.replace(/\.$/, '').toLowerCase()
  const { rcode, records } = await resolver
    .resolve(asked, type as TypeName, signal)
    .catch(serverFailed)
  if (rcode === 'NXDOMAIN') throw Object.assign(new Error(`no ${name}`), { code: 'ENOTFOUND' })
  if (records.length === 0)
    throw Object.assign(new Error(`no ${type} of ${name}`), { code: 'ENODATA' })
  return records.map(({ data }) => asNode(type, data))
}

function serverFailed(error: unknown): never {
  if (!(error instanceof LookupFailed)) throw error
  throw Object.assign(new Error(error.message), { code: 'ESERVFAIL' })
}

function asNode(type: string, data: string) {
  if (type === 'TXT') return [joinedTxt(data)]
  if (type !== 'MX') return relative(data)
  const [priority, exchange] = data.split(' ')
  return { priority: Number(priority), exchange: relative(exchange ?? '') }
}
