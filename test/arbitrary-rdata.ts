/** Generates names and rdata as the wire may carry them, odd octets and all. For tests. */
import fc from 'fast-check'
import { writtenName } from '#dns/name.ts'
import type { RRsetType } from '#dns/rrset.ts'

const octets = (minLength: number, maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array))

/** Plain labels, and now and then one of any octets. */
const label: fc.Arbitrary<Buffer> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/).map((text) => Buffer.from(text)),
  },
  { weight: 1, arbitrary: octets(1, 20) },
)

const labels: fc.Arbitrary<Buffer[]> = fc.array(label, { maxLength: 6 })

/** An absolute name with its case as it comes. */
export const anyName: fc.Arbitrary<string> = labels.map(writtenName)

const wireName: fc.Arbitrary<Buffer> = labels.map((name) =>
  Buffer.concat([...name.flatMap((each) => [Buffer.of(each.length), each]), Buffer.of(0)]),
)
const u8: fc.Arbitrary<Buffer> = octets(1, 1)
const u16: fc.Arbitrary<Buffer> = octets(2, 2)
const string: fc.Arbitrary<Buffer> = octets(0, 40).map((text) =>
  Buffer.concat([Buffer.of(text.length), text]),
)
const all = (...parts: fc.Arbitrary<Buffer>[]): fc.Arbitrary<Buffer> =>
  fc.tuple(...parts).map((each) => Buffer.concat(each))

const tag: fc.Arbitrary<Buffer> = fc
  .stringMatching(/^[a-zA-Z0-9]{1,15}$/)
  .map((text) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]))

/** Parameters by ascending key: known ones with values of their shape, and unknown ones with any. */
const params: fc.Arbitrary<Buffer> = fc
  .record(
    {
      1: fc.array(octets(1, 8), { minLength: 1, maxLength: 3 }).map(strings),
      3: u16,
      4: octets(4, 4),
      5: octets(1, 30),
      6: octets(16, 16),
      7: fc
        .constantFrom('/dns-query{?dns}', '/q/{?dns,x}', '/ü{?dns}')
        .map((path) => Buffer.from(path)),
      65000: octets(0, 30),
    },
    { requiredKeys: [] },
  )
  .map((given) =>
    Buffer.concat(Object.entries(given).map(([key, value]) => param(Number(key), value!))),
  )

function strings(items: readonly Buffer[]): Buffer {
  return Buffer.concat(items.flatMap((item) => [Buffer.of(item.length), item]))
}

const param = (key: number, value: Buffer): Buffer =>
  Buffer.concat([Buffer.of(key >> 8, key & 255, value.length >> 8, value.length & 255), value])

/** Rdata of each type as octets: every one of them can be served. */
export const RDATA: Record<string, fc.Arbitrary<Buffer>> = {
  A: octets(4, 4),
  AAAA: fc.oneof(octets(16, 16), fc.bigInt({ min: 0n, max: 0xffffn }).map(mostlyZeros)),
  CAA: all(u8, tag, octets(0, 40)),
  CNAME: wireName,
  // Types of digests that have no length yet, and SHA-256.
  DS: fc.oneof(
    all(
      u16,
      u8,
      fc.integer({ min: 5, max: 255 }).map((type) => Buffer.of(type)),
      octets(1, 40),
    ),
    all(u16, u8, fc.constant(Buffer.of(2)), octets(32, 32)),
  ),
  HTTPS: all(u16, wireName, params),
  MX: all(u16, wireName),
  NAPTR: all(u16, u16, string, string, string, wireName),
  NS: wireName,
  PTR: wireName,
  SRV: all(u16, u16, u16, wireName),
  SSHFP: all(u8, u8, octets(1, 40)),
  SVCB: all(u16, wireName, params),
  TLSA: all(u8, u8, u8, octets(1, 40)),
  TXT: fc.oneof(
    fc.array(string, { minLength: 1, maxLength: 4 }).map((parts) => Buffer.concat(parts)),
    fc.string({ maxLength: 200, unit: 'grapheme' }).map((text) => {
      const written = Buffer.from(text).subarray(0, 255)
      return Buffer.concat([Buffer.of(written.length), written])
    }),
  ),
  TYPE65280: octets(0, 60),
}

function mostlyZeros(low: bigint): Buffer {
  const address = Buffer.alloc(16)
  address.writeUInt16BE(Number(low), Number(low % 8n) * 2)
  return address
}

/** A type with rdata of it. */
export const anyRdata: fc.Arbitrary<{ type: RRsetType; octets: Buffer }> = fc
  .constantFrom(...Object.keys(RDATA))
  .chain((type) => RDATA[type]!.map((each) => ({ type: type as RRsetType, octets: each })))
