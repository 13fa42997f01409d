/**
 * Answers secondaries: transfers of zones and of the catalog, and any signed query. It runs before the
 * ordinary answer path, and leaves all other queries to that.
 */
import { BlockList, isIPv6 } from 'node:net'
import { shapeOf } from '#dns/message-shape.ts'
import { isWithin, nameToWire } from '#dns/name.ts'
import { type Query, type Question, readQuery } from '#dns/query.ts'
import { checkQuery, type TsigCheck, type TsigKey, type TsigSigner } from '#dns/tsig.ts'
import { CLASS, RCODE, TYPE } from '#dns/types.ts'
import type { Transport } from '../answer.ts'
import { UDP_SIZE } from '../reply-writer.ts'
import type { Catalog } from './catalog.ts'
import { emptyReply, type Frame, messagesOf, recordsOf, truncatedReply } from './messages.ts'
import { asksForSecondaries, isSigned } from './secondary-traffic.ts'
import { behindBy, serialOf } from './serial.ts'
import type { TransferRRset, TransferSource } from './source.ts'

export type TransferAnswerOptions = {
  source: TransferSource
  catalog: Catalog | undefined
  /** A query signed with one of these may transfer. */
  keys: readonly TsigKey[]
  /** Addresses that may transfer without a signature, for servers that cannot sign. */
  addresses: readonly string[]
  /** The ordinary answer to a query whose signature was removed. */
  ordinary: (query: Buffer, transport: Transport) => Buffer | undefined
  /** Seconds since 1970. */
  nowS: () => number
}

/** The messages of one reply, each made when it is sent. */
export type Messages = Iterable<Buffer>

/** The most transfers of more than one message at once. */
const MAX_LONG_TRANSFERS = 16
const MIN_UDP_SIZE = 512
const SOA_MIN_OCTETS = 22

type Asked = Query & { question: Question }

export class TransferAnswers {
  readonly #options: TransferAnswerOptions
  readonly #addresses = new BlockList()
  readonly #catalogOctets: Buffer | undefined
  #longTransfers = 0

  constructor(options: TransferAnswerOptions) {
    this.#options = options
    for (const address of options.addresses) this.#addresses.addAddress(address, familyOf(address))
    this.#catalogOctets = options.catalog && nameToWire(options.catalog.apex)
  }

  /** Undefined for queries that the ordinary answer path answers. */
  answer(message: Uint8Array, transport: Transport, remote: string): Messages | undefined {
    if (!this.#mayConcern(message)) return undefined
    const octets = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    const query = readQuery(octets)
    // The ordinary answer reports malformed queries.
    if (query === undefined || !isAsked(query) || query.rcode !== RCODE.NOERROR) return undefined
    const check = this.#check(octets)
    if (check.is === 'unsigned' && !this.#isForSecondaries(query.question)) return undefined
    return this.#answerChecked(query, octets, check, transport, remote)
  }

  #mayConcern(message: Uint8Array): boolean {
    const { length } = message
    return (
      isSigned(message, 0, length) || asksForSecondaries(message, 0, length, this.#catalogOctets)
    )
  }

  #check(message: Buffer): TsigCheck {
    const { keys, nowS } = this.#options
    return shapeOf(message) === undefined ? { is: 'malformed' } : checkQuery(message, keys, nowS())
  }

  #isForSecondaries({ name, type }: Question): boolean {
    const { catalog } = this.#options
    return isTransfer(type) || (catalog !== undefined && isWithin(name, catalog.apex))
  }

  #answerChecked(
    query: Asked,
    octets: Buffer,
    check: TsigCheck,
    transport: Transport,
    remote: string,
  ): Messages | undefined {
    switch (check.is) {
      case 'malformed':
        return [emptyReply(query, RCODE.FORMERR)]
      case 'refused':
        // RFC 8945 section 5.3.2: NOTAUTH, and the reason in the TSIG record.
        return [check.refuse(emptyReply(query, RCODE.NOTAUTH), this.#options.nowS())]
      case 'unsigned':
        if (!this.#addresses.check(remote, familyOf(remote)))
          return [emptyReply(query, RCODE.REFUSED)]
        return this.#answerSecondary(query, octets, undefined, transport)
      case 'verified':
        if (this.#isForSecondaries(query.question))
          return this.#answerSecondary(query, check.message, check.signer, transport)
        return this.#answerOrdinary(query, check.message, check.signer, transport)
    }
  }

  /** RFC 8945 section 5.3: the reply to a signed query is signed. */
  #answerOrdinary(
    query: Asked,
    unsigned: Buffer,
    signer: TsigSigner,
    transport: Transport,
  ): Messages | undefined {
    const { ordinary, nowS } = this.#options
    const reply = ordinary(unsigned, transport)
    if (reply === undefined) return undefined
    const fits = transport === 'tcp' || reply.length + signer.octets <= udpLimit(query)
    return [signer.sign(fits ? reply : truncatedReply(query), nowS())]
  }

  #answerSecondary(
    query: Asked,
    unsigned: Buffer,
    signer: TsigSigner | undefined,
    transport: Transport,
  ): Messages {
    const frame = this.#frame(query, signer)
    const say = (rcode: number): Messages => [frame.sign(emptyReply(query, rcode))]
    const { name, type, class: qclass } = query.question
    if (qclass !== CLASS.IN) return say(RCODE.REFUSED)
    const { catalog } = this.#options
    if (catalog?.apex === name && !catalog.isRead) return say(RCODE.SERVFAIL)
    const wanted = this.#versionOf(name)
    // RFC 5936 section 2.2.1: NOTAUTH for a zone that we do not have.
    if (wanted === undefined) return say(isTransfer(type) ? RCODE.NOTAUTH : RCODE.REFUSED)
    // RFC 5936 section 4.2: there is no AXFR over UDP.
    if (type === TYPE.AXFR)
      return transport === 'udp' ? say(RCODE.REFUSED) : this.#whole(frame, wanted)
    if (type === TYPE.IXFR) {
      const serial = serialIn(unsigned)
      return serial === undefined
        ? say(RCODE.FORMERR)
        : this.#since(frame, wanted, serial, transport)
    }
    const held = type === TYPE.SOA ? wanted.soa : type === TYPE.NS ? wanted.ns?.() : undefined
    return held === undefined ? say(RCODE.REFUSED) : this.#send(frame, [held])
  }

  #frame(query: Asked, signer: TsigSigner | undefined): SignedFrame {
    if (signer === undefined) return { query, signatureOctets: 0, sign: (message) => message }
    const { nowS } = this.#options
    return {
      query,
      signatureOctets: signer.octets,
      sign: (message) => signer.sign(message, nowS()),
    }
  }

  #versionOf(name: string): Version | undefined {
    const { catalog, source } = this.#options
    if (catalog === undefined || !isWithin(name, catalog.apex)) return source.zone(name)
    if (name !== catalog.apex) return undefined
    return {
      soa: catalog.soa(),
      ns: () => catalog.ns(),
      rrsets: () => catalog.rrsets(),
      since: (serial) => catalog.since(serial),
    }
  }

  /** RFC 5936 section 2.2: the SOA, everything else, and the SOA again. */
  #whole(frame: SignedFrame, wanted: Version): Messages {
    const { soa } = wanted
    return this.#send(frame, chain([soa], wanted.rrsets(), [soa]))
  }

  /**
   * RFC 1995 section 4: the SOA alone if there is nothing newer, or over UDP; the difference where it is
   * known; otherwise the whole zone. Customers' zones are a few kilobytes, and always go whole.
   */
  #since(frame: SignedFrame, wanted: Version, theirs: number, transport: Transport): Messages {
    const { soa } = wanted
    const isNewer = behindBy(serialOf(soa.records[0]!.octets), theirs) !== undefined
    if (!isNewer || transport === 'udp') return this.#send(frame, [soa])
    const difference = wanted.since?.(theirs) ?? 'everything'
    if (typeof difference === 'string') return this.#whole(frame, wanted)
    const { before, removed, added } = difference
    return this.#send(frame, chain([soa, before], removed, [soa], added, [soa]))
  }

  /** Makes and signs messages as they are taken. Limits replies of more than one message. */
  *#send({ sign, ...frame }: SignedFrame, rrsets: Iterable<TransferRRset>): Generator<Buffer> {
    const messages = messagesOf(frame, recordsOf(rrsets, frame.query.question.name))
    const first = messages.next()
    const second = messages.next()
    if (first.done || second.done) {
      if (!first.done) yield sign(first.value)
      return
    }
    if (this.#longTransfers >= MAX_LONG_TRANSFERS) {
      yield sign(emptyReply(frame.query, RCODE.SERVFAIL))
      return
    }
    this.#longTransfers++
    try {
      yield sign(first.value)
      yield sign(second.value)
      for (const message of messages) yield sign(message)
    } finally {
      this.#longTransfers--
    }
  }
}

/** Signs each message, in the order in which they are sent. */
type SignedFrame = Frame & { sign: (message: Buffer) => Buffer }

type Version = {
  soa: TransferRRset
  ns?: () => TransferRRset
  rrsets(): Iterable<TransferRRset>
  since?: Catalog['since']
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4')
const isTransfer = (type: number): boolean => type === TYPE.AXFR || type === TYPE.IXFR
const isAsked = (query: Query): query is Asked => query.question !== undefined

const udpLimit = ({ edns }: Query): number =>
  Math.min(Math.max(edns?.udpSize ?? MIN_UDP_SIZE, MIN_UDP_SIZE), UDP_SIZE)

/** RFC 1995 section 3: the client's version is the SOA in the authority section. */
function serialIn(message: Buffer): number | undefined {
  const soa = shapeOf(message)?.records.find(
    ({ section, type }) => section === 'authority' && type === TYPE.SOA,
  )
  if (soa === undefined || soa.end - soa.rdata < SOA_MIN_OCTETS) return undefined
  return serialOf(message.subarray(soa.rdata, soa.end))
}

function* chain(...parts: readonly Iterable<TransferRRset>[]): Generator<TransferRRset> {
  for (const part of parts) yield* part
}
