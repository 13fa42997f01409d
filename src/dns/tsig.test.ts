import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import {
  checkQuery,
  checkReply,
  FUDGE_S,
  parseTsigKey,
  signQuery,
  TSIG_ERROR,
  type TsigCheck,
  type TsigKey,
} from './tsig.ts'

/** Keys whose secret is the letter k, as often as the MAC has octets. */
const keyOf = (algorithm: string, octets: number, name = 'key.example'): TsigKey =>
  parseTsigKey(`${name}:${algorithm}:${Buffer.alloc(octets, 'k').toString('base64')}`)

const KEYS = [
  keyOf('hmac-sha256', 32),
  keyOf('hmac-sha384', 48, 'other.example'),
  keyOf('hmac-sha512', 64, 'third.example'),
]

/** The question for the SOA of acme.example, as kdig and dig of Debian 12 sign it. */
const SIGNED_BY_OTHERS: [who: string, key: TsigKey, timeS: number, hex: string][] = [
  [
    'kdig by hmac-sha256, to a key of another case',
    keyOf('hmac-sha256', 32, 'KEY.example'),
    0x6b0c9fa1,
    'da05012000010000000000010461636d65076578616d706c650000060001036b6579076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006b0c9fa1012c00208c9794102c676d80fbf45f0d00cae584747e22891795f5cf518db7e12ebca173da0500000000',
  ],
  [
    'dig by hmac-sha256, with EDNS',
    keyOf('hmac-sha256', 32),
    0x6b0c9fa2,
    '1221012000010000000000020461636d65076578616d706c65000006000100002904d000000000000c000a00083e5ef4ff4354ee7f036b6579076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006b0c9fa2012c002037071457036e0366b6e16f5943c4d880dbf2b710b14425744974a2f2d6586c7d122100000000',
  ],
  [
    'kdig by hmac-sha384',
    keyOf('hmac-sha384', 48),
    0x6b0c9fa4,
    '7568012000010000000000010461636d65076578616d706c650000060001036b6579076578616d706c650000fa00ff00000000004d0b686d61632d7368613338340000006b0c9fa4012c003069e922d87f436bea8db1bea1439b90e9d6d7c14e307ddc2d65499aa8711001b8c7afccf3f5640a77cbc289ad455faeb0756800000000',
  ],
  [
    'dig by hmac-sha512',
    keyOf('hmac-sha512', 64),
    0x6b0c9fa7,
    '02f6012000010000000000020461636d65076578616d706c65000006000100002904d000000000000c000a0008ce7bda0817c2c537036b6579076578616d706c650000fa00ff00000000005d0b686d61632d7368613531320000006b0c9fa7012c0040dd4b45322ea33bd4f571381eedf3fb66045fe4b49bde22b7de964d7e268fb88387ff0fc0e2dc4e6178cbf09241cd434012d819894a35e337ca8fcc2ab1b1e83b02f600000000',
  ],
]

for (const [who, key, timeS, hex] of SIGNED_BY_OTHERS) {
  test(`what others sign is verified: ${who}`, () => {
    const message = Buffer.from(hex, 'hex')
    assert.equal(checkQuery(message, [key], timeS).is, 'verified')
    assert.equal(said(checkQuery(message, KEYS.slice(1), timeS)), 'BADKEY')
  })
}

const said = (check: TsigCheck): string => (check.is === 'refused' ? check.error : check.is)

/** The SOA of acme.net. */
const QUERY = Buffer.from('4711012000010000000000000461636d65036e65740000060001', 'hex')
const NOW_S = 1_800_000_000
const SIGNED = signQuery(QUERY, KEYS[0]!, NOW_S).message

/** Where the record begins, its owner's `key.example.` being 13 octets, and its class and rdata length. */
const TSIG_AT = QUERY.length
const CLASS_AT = TSIG_AT + 13 + 2
const RDLENGTH_AT = CLASS_AT + 6
/** Original id, error and the length of other data, which is none. */
const TAIL_OCTETS = 6

/** The signed query with its MAC cut short or drawn out. */
function withMacOf(octets: number): Buffer {
  const end = SIGNED.length - TAIL_OCTETS
  const [before, mac] = [SIGNED.subarray(0, end - 32), SIGNED.subarray(end - 32, end)]
  const other = Buffer.concat([mac, Buffer.alloc(octets)]).subarray(0, octets)
  const message = Buffer.concat([before, other, SIGNED.subarray(end)])
  message.writeUInt16BE(octets, before.length - 2)
  message.writeUInt16BE(message.length - RDLENGTH_AT - 2, RDLENGTH_AT)
  return message
}

function edited(edit: (message: Buffer) => void): Buffer {
  const message = Buffer.from(SIGNED)
  edit(message)
  return message
}

const JUDGED: [sentence: string, message: Buffer, nowS: number, expected: string][] = [
  ['a query of ours', SIGNED, NOW_S, 'verified'],
  ['as late as the fudge allows', SIGNED, NOW_S + FUDGE_S, 'verified'],
  ['later, as when it is replayed', SIGNED, NOW_S + FUDGE_S + 1, 'BADTIME'],
  ['from the future', SIGNED, NOW_S - FUDGE_S - 1, 'BADTIME'],
  ['one without a signature', QUERY, NOW_S, 'unsigned'],
  ['another question', edited((m) => m.writeUInt8(0x62, 13)), NOW_S, 'BADSIG'],
  ['another flag', edited((m) => m.writeUInt8(0x05, 2)), NOW_S, 'BADSIG'],
  ['another time', edited((m) => m.writeUInt8(1, RDLENGTH_AT + 2 + 13 + 5)), NOW_S, 'BADSIG'],
  ['another original id', edited((m) => m.writeUInt16BE(1, m.length - 6)), NOW_S, 'BADSIG'],
  ['an error in the record', edited((m) => m.writeUInt16BE(1, m.length - 4)), NOW_S, 'BADSIG'],
  ['a class other than ANY', edited((m) => m.writeUInt16BE(1, CLASS_AT)), NOW_S, 'malformed'],
  ['a TTL other than 0', edited((m) => m.writeUInt32BE(1, CLASS_AT + 2)), NOW_S, 'malformed'],
  ['a MAC cut to half', withMacOf(16), NOW_S, 'BADTRUNC'],
  ['a MAC cut to half, and old', withMacOf(16), NOW_S + 1000, 'BADTIME'],
  ['a MAC shorter than half', withMacOf(15), NOW_S, 'malformed'],
  ['a MAC of one octet', withMacOf(1), NOW_S, 'malformed'],
  ['no MAC', withMacOf(0), NOW_S, 'malformed'],
  ['a MAC too long', withMacOf(33), NOW_S, 'malformed'],
  ['octets behind it', Buffer.concat([SIGNED, Buffer.of(0)]), NOW_S, 'malformed'],
  ['a message that ends early', SIGNED.subarray(0, -1), NOW_S, 'malformed'],
  ['a header alone', SIGNED.subarray(0, 12), NOW_S, 'malformed'],
  ['nothing', Buffer.alloc(0), NOW_S, 'malformed'],
  ['two signatures', signQuery(SIGNED, KEYS[0]!, NOW_S).message, NOW_S, 'malformed'],
]

for (const [sentence, message, nowS, expected] of JUDGED) {
  test(`checked: ${sentence}`, () => {
    assert.equal(said(checkQuery(message, KEYS, nowS)), expected)
  })
}

test('the name of a key alone is not the key: its algorithm belongs to it', () => {
  const strong = keyOf('hmac-sha512', 64)
  assert.equal(said(checkQuery(SIGNED, [strong], NOW_S)), 'BADKEY')
})

test('either of two keys verifies, and the reply is signed by the one that did', () => {
  for (const key of KEYS) {
    const check = checkQuery(signQuery(QUERY, key, NOW_S).message, KEYS, NOW_S)
    assert.ok(check.is === 'verified')
    assert.equal(check.signer.key, key)
  }
})

test('what was signed is given back as it was before it was signed', () => {
  const check = checkQuery(SIGNED, KEYS, NOW_S)
  assert.ok(check.is === 'verified')
  assert.deepEqual(check.message, QUERY)
})

const REPLY = Buffer.from(QUERY)
REPLY.writeUInt16BE(0x8400, 2)

test('a reply verifies against the query that it answers, and against no other', () => {
  const [one, two] = [NOW_S, NOW_S + 1].map((nowS) => signQuery(QUERY, KEYS[0]!, nowS))
  const check = checkQuery(one!.message, KEYS, NOW_S)
  assert.ok(check.is === 'verified')
  const reply = check.signer.sign(REPLY, NOW_S)
  assert.equal(reply.length, REPLY.length + check.signer.octets)
  assert.equal(said(checkReply(reply, KEYS[0]!, one!.mac, NOW_S)), 'verified')
  assert.equal(said(checkReply(reply, KEYS[0]!, two!.mac, NOW_S)), 'BADSIG')
  assert.equal(said(checkReply(REPLY, KEYS[0]!, one!.mac, NOW_S)), 'unsigned')
})

test('of many messages, each is signed by the MAC of the one before and the timers', () => {
  const check = checkQuery(SIGNED, KEYS, NOW_S)
  assert.ok(check.is === 'verified')
  const [first, second] = [REPLY, REPLY].map((message) => check.signer.sign(message, NOW_S))
  const macOf = (message: Buffer) => message.subarray(-6 - 32, -6)
  const timers = Buffer.alloc(8)
  timers.writeUIntBE(NOW_S, 0, 6)
  timers.writeUInt16BE(FUDGE_S, 6)
  const expected = createHmac('sha256', KEYS[0]!.secret)
    .update(Buffer.concat([Buffer.of(0, 32), macOf(first!), REPLY, timers]))
    .digest()
  assert.deepEqual(macOf(second!), expected)
})

const REFUSED: [
  error: keyof typeof TSIG_ERROR,
  message: Buffer,
  nowS: number,
  isSigned: boolean,
][] = [
  [
    'BADKEY',
    signQuery(QUERY, keyOf('hmac-sha256', 32, 'unknown.example'), NOW_S).message,
    NOW_S,
    false,
  ],
  ['BADSIG', edited((m) => m.writeUInt8(0x62, 13)), NOW_S, false],
  ['BADTIME', SIGNED, NOW_S + 1000, true],
  ['BADTRUNC', withMacOf(16), NOW_S, true],
]

for (const [error, message, nowS, isSigned] of REFUSED) {
  test(`${error} is said in the reply, ${isSigned ? 'signed' : 'without a MAC'}`, () => {
    const check = checkQuery(message, KEYS, nowS)
    assert.ok(check.is === 'refused')
    const reply = check.refuse(REPLY, nowS)
    const otherOctets = error === 'BADTIME' ? 6 : 0
    assert.equal(reply.readUInt16BE(reply.length - otherOctets - 4), TSIG_ERROR[error])
    assert.equal(reply.readUInt16BE(reply.length - otherOctets - 2), otherOctets)
    const macLengthAt = reply.length - otherOctets - 6 - (isSigned ? 32 : 0) - 2
    assert.equal(reply.readUInt16BE(macLengthAt), isSigned ? 32 : 0)
    // RFC 8945 section 5.2.3: with our time, so that the client can tell how far off it is.
    if (error === 'BADTIME') assert.equal(reply.readUIntBE(reply.length - 6, 6), nowS)
  })
}

test('a reply that says BADTIME verifies at the time of the client', () => {
  const { message, mac } = signQuery(QUERY, KEYS[0]!, NOW_S)
  const check = checkQuery(message, KEYS, NOW_S + 1000)
  assert.ok(check.is === 'refused')
  const reply = check.refuse(REPLY, NOW_S + 1000)
  assert.equal(said(checkReply(reply, KEYS[0]!, mac, NOW_S)), 'verified')
})

/** Letters have no case in names, and the id on the wire is not signed: the original one is. */
const sameButForCase = (a: Buffer, b: Buffer) =>
  a.subarray(2).toString('latin1').toLowerCase() === b.subarray(2).toString('latin1').toLowerCase()

const MUTATION = fc.oneof(
  fc.record({
    kind: fc.constant('set' as const),
    at: fc.nat(),
    octet: fc.integer({ min: 0, max: 255 }),
  }),
  fc.record({
    kind: fc.constant('flip' as const),
    at: fc.nat(),
    octet: fc.integer({ min: 0, max: 7 }),
  }),
  fc.record({ kind: fc.constant('drop' as const), at: fc.nat(), octet: fc.constant(0) }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: fc.nat(),
    octet: fc.integer({ min: 0, max: 255 }),
  }),
)

function mutate(
  message: Buffer,
  { kind, at, octet }: { kind: string; at: number; octet: number },
): Buffer {
  const index = at % Math.max(message.length, 1)
  const [before, after] = [message.subarray(0, index), message.subarray(index + 1)]
  const here = message[index] ?? 0
  if (kind === 'drop') return Buffer.concat([before, after])
  if (kind === 'insert') return Buffer.concat([before, Buffer.of(octet, here), after])
  return Buffer.concat([before, Buffer.of(kind === 'set' ? octet : here ^ (1 << octet)), after])
}

test('property: a signed message that was changed never verifies', () => {
  const signed = KEYS.map((key) => signQuery(QUERY, key, NOW_S).message)
  fc.assert(
    fc.property(
      fc.constantFrom(...signed),
      fc.array(MUTATION, { minLength: 1, maxLength: 4 }),
      (message, mutations) => {
        const changed = mutations.reduce(mutate, message)
        const check = checkQuery(changed, KEYS, NOW_S)
        if (check.is === 'verified') assert.ok(sameButForCase(changed, message))
      },
    ),
    { numRuns: 20_000 },
  )
})

test('property: no octets make the check throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      assert.notEqual(checkQuery(Buffer.from(octets), KEYS, NOW_S).is, 'verified')
    }),
    { numRuns: 20_000 },
  )
})

const SECRET = Buffer.alloc(32, 'k').toString('base64')

const NOT_KEYS: [sentence: string, written: string][] = [
  ['a name alone', 'key.example'],
  ['no secret', 'key.example:hmac-sha256:'],
  ['four parts', `key.example:hmac-sha256:${SECRET}:x`],
  ['an algorithm that is broken', `key.example:hmac-md5:${SECRET}`],
  ['an algorithm that is a property of objects', `key.example:toString:${SECRET}`],
  ['a name that is none', `key example:hmac-sha256:${SECRET}`],
  ['a secret that is not base64', `key.example:hmac-sha256:${SECRET.slice(0, -2)}!=`],
  ['a secret of 15 octets', `key.example:hmac-sha256:${Buffer.alloc(15, 'k').toString('base64')}`],
]

for (const [sentence, written] of NOT_KEYS) {
  test(`not a key: ${sentence}, and the refusal repeats no secret`, () => {
    assert.throws(
      () => parseTsigKey(written),
      (error: Error) => !error.message.includes(SECRET.slice(0, 8)),
    )
  })
}

test('a key shows its secret neither to a log nor to JSON', () => {
  const key = parseTsigKey(`key.example:hmac-sha256:${SECRET}`)
  for (const shown of [
    inspect(key, { depth: 9, showHidden: true }),
    JSON.stringify(key),
    String(key),
  ]) {
    assert.ok(!shown.includes('kkkk') && !shown.includes(SECRET.slice(0, 8)), shown)
  }
})
