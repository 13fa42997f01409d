/**
 * Signatures by a shared secret, RFC 8945: checks those of queries and replies, and signs replies of one
 * message or many. Pure: the time is handed in, in seconds since 1970. A secret is a `KeyObject`, which
 * shows its octets neither in a log nor in an error.
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { type MessageShape, type RecordAt, readName, shapeOf } from './message-shape.ts'
import { canonicalName, nameToWire } from './name.ts'
import { CLASS, RCODE, TYPE } from './types.ts'

/** The algorithms that we take, by the names of RFC 8945 section 6, with the octets of their MAC. */
const ALGORITHMS = {
  'hmac-sha256': { hash: 'sha256', octets: 32 },
  'hmac-sha384': { hash: 'sha384', octets: 48 },
  'hmac-sha512': { hash: 'sha512', octets: 64 },
} as const

export type TsigAlgorithm = keyof typeof ALGORITHMS
/** `name` is absolute and lowercase. */
export type TsigKey = { name: string; algorithm: TsigAlgorithm; secret: KeyObject }

/** RFC 8945 section 3: the errors that stand in a TSIG record. */
export const TSIG_ERROR = { BADSIG: 16, BADKEY: 17, BADTIME: 18, BADTRUNC: 22 } as const
export type TsigError = keyof typeof TSIG_ERROR

/** RFC 8945 section 10: the recommended leeway between two clocks. A longer one is cut to this. */
export const FUDGE_S = 300
const MIN_SECRET_OCTETS = 16
const MAX_SECRET_OCTETS = 512

/** Signs messages, each with the MAC before it (RFC 8945 section 5.3.1). */
export type TsigSigner = {
  readonly key: TsigKey
  /** How many octets `sign` adds. */
  readonly octets: number
  sign(message: Buffer, nowS: number): Buffer
}

export type TsigCheck =
  | { is: 'unsigned' }
  /** RFC 8945 section 5.1: a TSIG record is misplaced or malformed. The reply is FORMERR. */
  | { is: 'malformed' }
  /** `message` is the signed message without its TSIG; `signer` signs the reply. */
  | { is: 'verified'; message: Buffer; signer: TsigSigner }
  /** `refuse` adds the error to a reply whose RCODE is NOTAUTH. */
  | {
      is: 'refused'
      error: TsigError
      message: Buffer
      refuse(reply: Buffer, nowS: number): Buffer
    }

/**
 * Reads a key as `name:algorithm:secret`, the secret in base64, as `keymgr -t` and `tsig-keygen` make
 * it. Throws with a sentence that holds no part of what was written.
 */
export function parseTsigKey(written: string): TsigKey {
  const [name = '', algorithm = '', secret = '', ...more] = written.split(':')
  if (more.length > 0 || secret === '') throw new Error('name:algorithm:secret is wanted')
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i.test(name) || name.length > 100)
    throw new Error('the name of a key is a domain name')
  if (!isAlgorithm(algorithm))
    throw new Error(`the algorithm of a key is one of ${Object.keys(ALGORITHMS).join(', ')}`)
  const octets = Buffer.from(secret, 'base64')
  const isBase64 = octets.toString('base64') === secret
  if (!isBase64 || octets.length < MIN_SECRET_OCTETS || octets.length > MAX_SECRET_OCTETS)
    throw new Error(`the secret of a key is ${MIN_SECRET_OCTETS} octets or more in base64`)
  return {
    name: canonicalName(`${name.replace(/\.$/, '')}.`),
    algorithm,
    secret: createSecretKey(octets),
  }
}

const isAlgorithm = (name: string): name is TsigAlgorithm => Object.hasOwn(ALGORITHMS, name)

/** Checks the signature of a query. */
export function checkQuery(message: Buffer, keys: readonly TsigKey[], nowS: number): TsigCheck {
  return check(message, keys, nowS, EMPTY)
}

/** Signs a query of our own. Its MAC is what the reply is checked against. */
export function signQuery(
  message: Buffer,
  key: TsigKey,
  nowS: number,
): { message: Buffer; mac: Buffer } {
  const fields = { ...fieldsNow(key, nowS), originalId: message.readUInt16BE(0) }
  const mac = macOf(key, message, variablesOf(key.name, fields))
  return { message: withTsig(message, key.name, { ...fields, mac }), mac }
}

/** Checks the reply to a query of ours, by the MAC of that query. */
export function checkReply(
  message: Buffer,
  key: TsigKey,
  queryMac: Buffer,
  nowS: number,
): TsigCheck {
  return check(message, [key], nowS, withLength(queryMac))
}

/** RFC 8945 section 5.2: the key, then the MAC, then the time, then a MAC that is cut short. */
function check(message: Buffer, keys: readonly TsigKey[], nowS: number, before: Buffer): TsigCheck {
  const shape = shapeOf(message)
  if (shape === undefined) return { is: 'malformed' }
  if (!shape.records.some(({ type }) => type === TYPE.TSIG)) return { is: 'unsigned' }
  const record = shape.records.at(-1)!
  const fields = readTsig(message, shape, record)
  if (fields === undefined) return { is: 'malformed' }
  const unsigned = withoutTsig(message, record, fields.originalId)
  const key = keys.find((each) => each.name === record.name && named(each) === fields.algorithm)
  if (key === undefined) return refusedUnsigned('BADKEY', record.name, fields, unsigned)
  // RFC 8945 section 5.2.2.1: a MAC that is too long, or shorter than half, is FORMERR.
  const { octets } = ALGORITHMS[key.algorithm]
  if (fields.mac.length > octets || fields.mac.length < octets / 2) return { is: 'malformed' }
  const whole = macOf(key, before, unsigned, variablesOf(record.name, fields))
  const isGenuine = timingSafeEqual(whole.subarray(0, fields.mac.length), fields.mac)
  if (!isGenuine) return refusedUnsigned('BADSIG', record.name, fields, unsigned)
  const isTimely = Math.abs(nowS - fields.timeS) <= Math.min(fields.fudgeS, FUDGE_S)
  if (!isTimely) return refusedSigned('BADTIME', key, fields, unsigned)
  if (fields.mac.length < octets) return refusedSigned('BADTRUNC', key, fields, unsigned)
  unsigned.writeUInt16BE(shape.id, 0)
  return { is: 'verified', message: unsigned, signer: signerAfter(key, fields.mac) }
}

/** What a TSIG record holds (RFC 8945 section 4.2). */
type Fields = {
  /** Absolute and lowercase. */
  algorithm: string
  timeS: number
  fudgeS: number
  mac: Buffer
  originalId: number
  error: number
  other: Buffer
}

function readTsig(message: Buffer, shape: MessageShape, record: RecordAt): Fields | undefined {
  const count = shape.records.filter(({ type }) => type === TYPE.TSIG).length
  // RFC 8945 section 5.1: there is one, it is the last record, its class is ANY and its TTL is 0.
  const isInPlace = count === 1 && record.type === TYPE.TSIG && record.section === 'additional'
  if (!isInPlace || record.class !== CLASS.ANY || record.ttl !== 0) return undefined
  try {
    const rdata = message.subarray(record.rdata, record.end)
    const { name: algorithm, end: at } = readName(rdata, 0)
    const macEnd = at + 10 + rdata.readUInt16BE(at + 8)
    const fields = {
      algorithm,
      timeS: rdata.readUIntBE(at, 6),
      fudgeS: rdata.readUInt16BE(at + 6),
      mac: rdata.subarray(at + 10, macEnd),
      originalId: rdata.readUInt16BE(macEnd),
      error: rdata.readUInt16BE(macEnd + 2),
      other: rdata.subarray(macEnd + 6),
    }
    return fields.other.length === rdata.readUInt16BE(macEnd + 4) ? fields : undefined
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** RFC 8945 section 4.3.2: the signed message has one record fewer, and the original id. */
function withoutTsig(message: Buffer, record: RecordAt, originalId: number): Buffer {
  const unsigned = Buffer.from(message.subarray(0, record.start))
  unsigned.writeUInt16BE(originalId, 0)
  unsigned.writeUInt16BE(message.readUInt16BE(10) - 1, 10)
  return unsigned
}

function withTsig(message: Buffer, name: string, fields: Fields): Buffer {
  const rdata = Buffer.concat([
    nameToWire(fields.algorithm),
    timers(fields),
    withLength(fields.mac),
    u16(fields.originalId),
    u16(fields.error),
    withLength(fields.other),
  ])
  const fixed = [u16(TYPE.TSIG), u16(CLASS.ANY), u16(0), u16(0), withLength(rdata)]
  const signed = Buffer.concat([message, nameToWire(name), ...fixed])
  signed.writeUInt16BE(message.readUInt16BE(10) + 1, 10)
  return signed
}

function signerAfter(key: TsigKey, queryMac: Buffer): TsigSigner {
  let previous = queryMac
  let isFirst = true
  return {
    key,
    octets: withTsig(NO_MESSAGE, key.name, { ...fieldsNow(key, 0), mac: fullMac(key) }).length - 12,
    sign(message, nowS) {
      const fields = { ...fieldsNow(key, nowS), originalId: message.readUInt16BE(0) }
      // RFC 8945 section 5.3.1: from the second message on, only the timers go with it.
      const variables = isFirst ? variablesOf(key.name, fields) : timers(fields)
      const mac = macOf(key, withLength(previous), message, variables)
      isFirst = false
      previous = mac
      return withTsig(message, key.name, { ...fields, mac })
    },
  }
}

/** RFC 8945 section 5.3.2: a reply to an unknown key or a wrong MAC is not signed. */
function refusedUnsigned(
  error: 'BADKEY' | 'BADSIG',
  name: string,
  fields: Fields,
  message: Buffer,
): TsigCheck {
  const said = { ...fields, mac: EMPTY, error: TSIG_ERROR[error], other: EMPTY }
  return { is: 'refused', error, message, refuse: (reply) => withTsig(reply, name, said) }
}

function refusedSigned(
  error: 'BADTIME' | 'BADTRUNC',
  key: TsigKey,
  fields: Fields,
  message: Buffer,
): TsigCheck {
  const refuse = (reply: Buffer, nowS: number) => {
    // RFC 8945 section 5.2.3: the client's time where it was signed, and ours beside it.
    const other = error === 'BADTIME' ? u48(nowS) : EMPTY
    const said = { ...fields, fudgeS: FUDGE_S, error: TSIG_ERROR[error], other }
    const mac = macOf(key, withLength(fields.mac), reply, variablesOf(key.name, said))
    return withTsig(reply, key.name, { ...said, mac })
  }
  return { is: 'refused', error, message, refuse }
}

const fieldsNow = (key: TsigKey, nowS: number): Fields => ({
  algorithm: named(key),
  timeS: Math.floor(nowS),
  fudgeS: FUDGE_S,
  mac: EMPTY,
  originalId: 0,
  error: RCODE.NOERROR,
  other: EMPTY,
})

const named = ({ algorithm }: TsigKey): string => `${algorithm}.`
const fullMac = ({ algorithm }: TsigKey): Buffer => Buffer.alloc(ALGORITHMS[algorithm].octets)

function macOf({ algorithm, secret }: TsigKey, ...parts: readonly Buffer[]): Buffer {
  const hmac = createHmac(ALGORITHMS[algorithm].hash, secret)
  for (const part of parts) hmac.update(part)
  return hmac.digest()
}

/** RFC 8945 section 4.3.3: the variables that are signed with a message, names in canonical form. */
function variablesOf(name: string, fields: Fields): Buffer {
  return Buffer.concat([
    nameToWire(name),
    u16(CLASS.ANY),
    u16(0),
    u16(0),
    nameToWire(fields.algorithm),
    timers(fields),
    u16(fields.error),
    withLength(fields.other),
  ])
}

const timers = ({ timeS, fudgeS }: Fields): Buffer => Buffer.concat([u48(timeS), u16(fudgeS)])

const EMPTY = Buffer.alloc(0)
const NO_MESSAGE = Buffer.alloc(12)

const withLength = (octets: Buffer): Buffer => Buffer.concat([u16(octets.length), octets])

function u16(value: number): Buffer {
  const octets = Buffer.alloc(2)
  octets.writeUInt16BE(value)
  return octets
}

function u48(value: number): Buffer {
  const octets = Buffer.alloc(6)
  octets.writeUIntBE(Math.floor(value), 0, 6)
  return octets
}
