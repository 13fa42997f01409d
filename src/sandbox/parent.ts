/**
 * The sandbox's registry: serves a root zone, `test.` and `example.` over DNS on loopback, with the
 * code that serves the hosted zones.
 */
import type { RRset } from '#drivers/zone/contract.ts'
import { absolute, isWithin } from '#names/domain-name.ts'
import { answerQuery, type Transport } from '#servers/dns/answer.ts'
import { listenDns } from '#servers/dns/listen.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import { Zones } from '#servers/dns/zones.ts'
import { SANDBOX } from './names.ts'
import type { Outcome } from './outcomes.ts'

/** A delegation as a registrar publishes it. Names without trailing dots. */
export type Delegation = {
  name: string
  nameservers: readonly string[]
  ds: readonly string[]
  /** When the registry publishes it. */
  publishedAt: Date
}

export type ParentOptions = {
  /** The delegations of the platform's own names, and the records of the sandbox's mail domains. */
  fixed: { delegations: readonly Delegation[]; rrsets: readonly RRset[] }
  /** Takes the outcome for a query for a name, if one is set. */
  outcomeFor: (name: string) => Outcome | undefined
  onError: (error: unknown) => void
}

export type ParentZones = AsyncDisposable & {
  dnsPort(address: string): number | undefined
  /** Publishes these delegations and no others, each at its time. */
  publish(delegations: readonly Delegation[]): void
}

const DELEGATION_TTL_S = 2
const SLOW_MS = 1500

export async function startParentZones(options: ParentOptions): Promise<ParentZones> {
  await using opened = new AsyncDisposableStack()
  const roots = new Zones()
  const tlds = new Zones()
  for (const zone of rootZones()) roots.set(zone)
  const ports = new Map<string, number>()
  const listen = async (address: string, zones: Zones, outcomeFor: ParentOptions['outcomeFor']) => {
    const answer = (query: Uint8Array, transport: Transport) =>
      answerWith(query, zones, transport, outcomeFor)
    const listening = { address, port: 0, answer, onError: options.onError }
    ports.set(address, opened.use(await listenDns(listening)).port)
  }
  for (const address of SANDBOX.rootAddresses) await listen(address, roots, () => undefined)
  for (const { address } of SANDBOX.parents) await listen(address, tlds, options.outcomeFor)
  let timer: NodeJS.Timeout | undefined
  opened.defer(() => clearTimeout(timer))
  let serial = 1

  function publish(delegations: readonly Delegation[]): void {
    clearTimeout(timer)
    const now = Date.now()
    const due = delegations.filter(({ publishedAt }) => publishedAt.getTime() <= now)
    for (const tld of ['test', 'example']) {
      tlds.set(tldZone(tld, [...options.fixed.delegations, ...due], options.fixed.rrsets, ++serial))
    }
    const next = Math.min(
      ...delegations.map(({ publishedAt }) => publishedAt.getTime()).filter((at) => at > now),
    )
    if (Number.isFinite(next)) timer = setTimeout(() => publish(delegations), next - now)
  }

  publish([])
  const closing = opened.move()
  return {
    dnsPort: (address) => ports.get(address),
    publish,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

const PARENT_NAMES = SANDBOX.parents.map(({ name }) => absolute(name))
const PARENT_GLUE: RRset[] = SANDBOX.parents.map(({ name, address }) => ({
  name: absolute(name),
  type: 'A',
  ttl: 3600,
  data: [address],
}))

function rootZones(): ServedZone[] {
  const cuts = ['test.', 'example.'].map(
    (name): RRset => ({ name, type: 'NS', ttl: 3600, data: PARENT_NAMES }),
  )
  return [
    { apex: '.', nameservers: ['root.parent.test.'], serial: 1, rrsets: [...cuts, ...PARENT_GLUE] },
  ]
}

function tldZone(
  tld: string,
  delegations: readonly Delegation[],
  fixed: readonly RRset[],
  serial: number,
): ServedZone {
  const below = delegations.filter(({ name }) => isWithin(name, tld))
  const cuts = below.map(
    ({ name, nameservers }): RRset => ({
      name: absolute(name),
      type: 'NS',
      ttl: DELEGATION_TTL_S,
      data: nameservers.map(absolute),
    }),
  )
  const own = [...PARENT_GLUE, ...fixed].filter(({ name }) => name.endsWith(`.${tld}.`))
  const signed = below.filter(({ ds }) => ds.length > 0)
  return {
    apex: `${tld}.`,
    nameservers: PARENT_NAMES,
    serial,
    rrsets: [...cuts, ...own],
    ds: signed.map(({ name, ds }) => ({ name: absolute(name), data: ds })),
    negativeTtl: 1,
    nsTtl: 3600,
  }
}

/** Answers a query, or fails as its outcome demands: no answer, a late one, or an error. */
async function answerWith(
  query: Uint8Array,
  zones: Zones,
  transport: Transport,
  outcomeFor: ParentOptions['outcomeFor'],
): Promise<Buffer | undefined> {
  const answered = answerQuery(query, zones, transport)
  const outcome = answered?.question && outcomeFor(answered.question.name.replace(/\.$/, ''))
  if (!answered || outcome === 'unavailable') return undefined
  if (outcome === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
  return outcome === 'rejected' || outcome === 'throttled'
    ? withoutAnswer(answered.reply, outcome)
    : answered.reply
}

// RFC 1035 section 4.1.1: REFUSED is 5, SERVFAIL 2, in the low four bits of the fourth octet.
function withoutAnswer(reply: Buffer, outcome: 'rejected' | 'throttled'): Buffer {
  const refusal = Buffer.from(reply.subarray(0, 12))
  refusal[3] = (refusal[3]! & 0xf0) | (outcome === 'rejected' ? 5 : 2)
  refusal.fill(0, 4, 12)
  const question = questionOf(reply)
  refusal.writeUInt16BE(1, 4)
  return Buffer.concat([refusal, question])
}

function questionOf(reply: Buffer): Buffer {
  let end = 12
  while (reply[end]! > 0) end += reply[end]! + 1
  return reply.subarray(12, end + 5)
}
