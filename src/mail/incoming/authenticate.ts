/** Checks SPF, DKIM and DMARC of a received message, by a library (RFC 8601). */
import { Readable } from 'node:stream'
import { type AuthenticateResult, authenticate, type DNSResolver } from 'mailauth'
import { alabels } from '#names/domain-name.ts'
import { domainOf } from '#names/localpart.ts'
import { type Header, nameOf, unfolded, writeHeader } from './header.ts'
import { type Attributed, type Authentication, type Results, writeResults } from './results.ts'

/** Answers as `node:dns` does: with arrays, or errors with codes. */
export type AskDns = (name: string, type: string) => Promise<unknown>

/** A message to judge: `body` is not copied. */
export type Judged = Attributed & { header: Header; body: Buffer }

const SIGNATURES_CHECKED = 10
const BODY_HASHES = 4
const CHUNK_OCTETS = 64 * 1024

/** Judges a message as the host `mta`. If the resolver fails, a result is `temperror`. */
export async function authenticateMessage(
  message: Judged,
  mta: string,
  ask: AskDns,
): Promise<Authentication> {
  const { helo, remoteAddress, envelopeSender } = message.session
  const result = await authenticate(Readable.from(judgedCopy(message)), {
    ip: remoteAddress,
    helo,
    sender: envelopeSender,
    mta,
    strict: true,
    disableArc: true,
    disableBimi: true,
    resolver: ask as DNSResolver,
  })
  return writeResults(readResult(result, message.author), message, mta)
}

function* judgedCopy({ header, body }: Judged): Generator<Buffer> {
  yield writeHeader(withFewSignatures(header.fields))
  for (let at = 0; at < body.length; at += CHUNK_OCTETS) yield body.subarray(at, at + CHUNK_OCTETS)
}

/**
 * Limits the signatures checked: each costs look-ups, and each way to hash the body a pass over it. One
 * with `l=` lets anything follow what it signs (RFC 6376 section 8.2), so it is ignored.
 */
function withFewSignatures(fields: readonly string[]): readonly string[] {
  const hashes = new Set<string>()
  let signatures = 0
  return fields.filter((field) => {
    if (nameOf(field) !== 'dkim-signature') return true
    const tags = tagsOf(unfolded(field))
    const hash = `${tags.get('a')} ${tags.get('c')}`
    if (tags.has('l') || signatures >= SIGNATURES_CHECKED) return false
    if (!hashes.has(hash) && hashes.size >= BODY_HASHES) return false
    hashes.add(hash)
    signatures++
    return true
  })
}

function tagsOf(value: string): Map<string, string> {
  const tags = value
    .slice(0, CHUNK_OCTETS)
    .split(';')
    .map((tag) => tag.split('='))
  return new Map(tags.map(([name = '', ...rest]) => [name.trim(), rest.join('=').trim()]))
}

function readResult({ spf, dkim, dmarc }: AuthenticateResult, author: string): Results {
  const signature = bestSignature(dkim.results)
  const alignment = dmarc === false ? undefined : dmarc.alignment
  const policy = dmarc === false ? { result: 'none', policy: 'none' } : readDmarc(dmarc, author)
  const isOfAuthor = policy.result !== 'permerror'
  return {
    spf: {
      result: word(spf === false ? 'none' : spf.status.result),
      domain: spf === false ? '' : spf.domain,
      aligned: isOfAuthor && Boolean(alignment?.spf.result),
    },
    dkim: {
      result: word(signature?.status.result ?? 'none'),
      domain: signature?.signingDomain ?? '',
      aligned: isOfAuthor && Boolean(alignment?.dkim.result),
    },
    dmarc: policy,
  }
}

/** A pass counts only if it concerns the author that is shown. */
function readDmarc(dmarc: Exclude<AuthenticateResult['dmarc'], false>, author: string) {
  const domain = domainOf(author)
  const judged = String(dmarc.status.header?.from ?? '').replace(/\.$/, '')
  if (author === '' || (judged !== '' && alabels(judged) !== domain))
    return { result: 'permerror', policy: 'none' }
  return { result: word(dmarc.status.result), policy: dmarc.policy || 'none' }
}

/** The signature that proves most: passed and aligned before only passed. */
function bestSignature(results: AuthenticateResult['dkim']['results']) {
  const worth = (result: (typeof results)[number]) =>
    (result.status.result === 'pass' ? 2 : 0) + (result.status.aligned ? 1 : 0)
  return results.toSorted((a, b) => worth(b) - worth(a))[0]
}

const WORDS: readonly string[] = [
  'none',
  'pass',
  'fail',
  'softfail',
  'policy',
  'neutral',
  'temperror',
  'permerror',
]

const word = (result: string): string => (WORDS.includes(result) ? result : 'neutral')
