import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode } from 'dns-packet'
import type { RRset } from '#drivers/zone/contract.ts'
import { answerQuery } from './answer.ts'
import { type DigOptions, dig, queryOf, show, zonesOf } from './dig.ts'

const a = (name: string, count: number): RRset => ({
  name,
  type: 'A',
  ttl: 300,
  data: Array.from({ length: count }, (_, i) => `192.0.2.${i + 1}`),
})
const rrset = (name: string, type: RRset['type'], ...data: string[]) => ({
  name,
  type,
  ttl: 300,
  data,
})
const inside = (label: string) => `${label}.${'long-label-in-a-nameserver-name'}.sub.acme.test.`
const HOSTS = Array.from({ length: 13 }, (_, i) => inside(`ns${i}`))

const ZONES = zonesOf({
  apex: 'acme.test.',
  nameservers: ['ada.pool.test.', 'bob.pool.test.'],
  serial: 7,
  rrsets: [
    a('acme.test.', 1),
    a('thirty.acme.test.', 30),
    a('hundred.acme.test.', 100),
    rrset('key.acme.test.', 'TXT', 'k'.repeat(600)),
    rrset('mx.acme.test.', 'MX', '1 thirty.acme.test.', '2 acme.test.'),
    rrset('sub.acme.test.', 'NS', ...HOSTS),
    ...HOSTS.map((host) => a(host, 1)),
  ],
})

/** The header of a query: flags, then the four counts. */
function header(flags: number, ...counts: number[]): Buffer {
  const words = [4711, flags, ...counts, 0, 0, 0, 0].slice(0, 6)
  return Buffer.concat(words.map((word) => Buffer.of(word >> 8, word & 0xff)))
}
const IN_A = '00010001'
const TXT_RR = '00100001000000000000'
const hex = (...parts: (Buffer | string)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)))
const OPT = '0000290200000000000000'
const LABEL_63 = `3f${'61'.repeat(63)}`

const MALFORMED: [sentence: string, message: Buffer][] = [
  ['no question', header(0, 0)],
  ['two questions', hex(header(0, 2), `00${IN_A}`, `00${IN_A}`)],
  ['a question that is missing', header(0, 1)],
  ['a question cut short in its class', hex(header(0, 1), '0000010')],
  ['a name without an end', hex(header(0, 1), '0461636d65')],
  ['a label longer than the message', hex(header(0, 1), `3f61${IN_A}`)],
  ['a label of type 01', hex(header(0, 1), `41${'61'.repeat(0x41)}00${IN_A}`)],
  ['a label of type 10', hex(header(0, 1), `80${'61'.repeat(0x80)}00${IN_A}`)],
  ['a label of type 11', hex(header(0, 1), `c0${'61'.repeat(0xc0)}00${IN_A}`)],
  ['an owner of type 01', hex(header(0, 1, 1), `00${IN_A}`, `41${'61'.repeat(0x41)}00${TXT_RR}`)],
  ['a question that points at itself', hex(header(0, 1), `c00c${IN_A}`)],
  ['a question that points forward', hex(header(0, 1), `c0ff${IN_A}`)],
  ['a name of 256 octets', hex(header(0, 1), LABEL_63.repeat(3), `3e${'61'.repeat(62)}00`, IN_A)],
  ['a name without bounds', hex(header(0, 1), LABEL_63.repeat(60), `00${IN_A}`)],
  ['a record that is missing', hex(header(0, 1, 0, 0, 1), `00${IN_A}`)],
  ['rdata longer than the message', hex(header(0, 1, 1), `00${IN_A}`, `00${IN_A}00000000ffff`)],
  ['65535 records in nothing', hex(header(0, 1, 65_535, 65_535, 65_535), `00${IN_A}`)],
  ['two OPT', hex(header(0, 1, 0, 0, 2), `00${IN_A}`, OPT, OPT)],
  ['an OPT that is not at the root', hex(header(0, 1, 0, 0, 1), `00${IN_A}`, `0161${OPT}`)],
]

for (const [sentence, message] of MALFORMED) {
  test(`formerr: ${sentence}`, () => {
    const { reply, question } = answerQuery(message, ZONES, 'udp')!
    assert.equal(show(decode(reply)).status, 'FORMERR')
    assert.equal(reply.readUInt16BE(0), 4711)
    assert.equal(question, undefined)
  })
}

test('silence: less than a header, and every response', () => {
  const query = queryOf('acme.test. A')
  for (let length = 0; length < 12; length++) {
    assert.equal(answerQuery(query.subarray(0, length), ZONES, 'udp'), undefined)
  }
  for (const flags of [0x8000, 0x8005, 0xa800, 0xffff]) {
    assert.equal(answerQuery(hex(header(flags, 1), query.subarray(12)), ZONES, 'udp'), undefined)
  }
})

test('notimp: every opcode but QUERY, with the opcode and RD repeated', () => {
  for (let opcode = 1; opcode < 16; opcode++) {
    const { reply } = answerQuery(header((opcode << 11) | 0x0100, 1), ZONES, 'tcp')!
    assert.equal(reply.readUInt16BE(2), 0x8000 | (opcode << 11) | 0x0100 | 4)
  }
})

const STATUSES: [question: string, status: string, options?: DigOptions][] = [
  ['acme.test. A', 'NOERROR aa'],
  ['acme.test. A', 'NOERROR aa rd', { recursive: true }],
  ['acme.test. A', 'NOERROR aa', { edns: { size: 0 } }],
  ['acme.test. A ANY', 'NOERROR'],
  ['acme.test. A CH', 'REFUSED'],
  ['acme.test. A HS', 'REFUSED'],
  ['acme.test. AXFR', 'REFUSED'],
  ['acme.test. AXFR', 'REFUSED', { transport: 'tcp' }],
  ['acme.test. IXFR', 'REFUSED', { transport: 'tcp' }],
  ['acme.test. A', 'BADVERS', { edns: { version: 1 } }],
  ['elsewhere.test. A', 'BADVERS', { edns: { version: 255 } }],
  ['elsewhere.test. A', 'REFUSED rd', { recursive: true }],
]

for (const [question, status, options] of STATUSES) {
  test(`status: ${question} ${JSON.stringify(options ?? {})} is ${status}`, () => {
    assert.equal(dig(ZONES, question, options).status, status)
  })
}

test('edns: an OPT comes back exactly to those who sent one', () => {
  assert.deepEqual(dig(ZONES, 'acme.test. A').additional, [])
  assert.deepEqual(dig(ZONES, 'acme.test. A', { edns: { size: 4096 } }).additional, ['OPT 1232 v0'])
  const dnssec = dig(ZONES, 'x.test. A', { edns: { dnssecOk: true } })
  assert.deepEqual(dnssec.additional, ['OPT 1232 v0 do'])
  assert.deepEqual(dig(ZONES, 'x.test. A', { edns: { version: 9 } }).additional, ['OPT 1232 v0'])
})

test('case: the question comes back as it was sent, and owners point at it', () => {
  const query = queryOf('aCmE.TeSt. A')
  const { reply, question } = answerQuery(query, ZONES, 'udp')!
  assert.deepEqual(reply.subarray(12, query.length), query.subarray(12))
  assert.equal(decode(reply).answers![0]!.name, 'aCmE.TeSt')
  assert.deepEqual(question, { name: 'acme.test.', type: 1 })
  const { authority } = dig(ZONES, 'nO.aCmE.TeSt. A')
  assert.match(authority[0]!, /^aCmE\.TeSt\. 60 SOA ada\.pool\.test /)
})

test('odd octets: a label that contains a dot, or almost a letter, is no name of ours', () => {
  const query = (...labels: string[]) => {
    const wire = labels.map((label) => hex(Buffer.of(label.length), Buffer.from(label, 'latin1')))
    return hex(header(0, 1), ...wire, `00${IN_A}`)
  }
  const rows: [labels: string[], name: string, status: string][] = [
    [['x', 'acme', 'test'], 'x.acme.test.', 'NXDOMAIN aa'],
    [['\0\x7f ', 'ACME', 'test'], '\\000\\127\\032.acme.test.', 'NXDOMAIN aa'],
    [['acme.test'], 'acme\\.test.', 'REFUSED'],
    [['x.acme', 'test'], 'x\\.acme.test.', 'REFUSED'],
    [['\xc1cme', 'test'], '\\193cme.test.', 'REFUSED'],
    [['acme\\', 'test'], 'acme\\\\.test.', 'REFUSED'],
    [['acme', 'test.'], 'acme.test\\..', 'REFUSED'],
    [['acme', 'test\0'], 'acme.test\\000.', 'REFUSED'],
    [['!cme', 'test'], '!cme.test.', 'REFUSED'],
  ]
  for (const [labels, name, status] of rows) {
    const { reply, question } = answerQuery(query(...labels), ZONES, 'udp')!
    assert.equal(show(decode(reply)).status, status, name)
    assert.equal(question?.name, name)
  }
})

test('long names: 255 octets are answered', () => {
  const name = `${LABEL_63.repeat(3)}3361${'61'.repeat(50)}0461636d65047465737400`
  const message = hex(header(0, 1), name, IN_A)
  assert.equal(message.length, 12 + 255 + 4)
  assert.equal(show(decode(answerQuery(message, ZONES, 'udp')!.reply)).status, 'NXDOMAIN aa')
})

const SIZES: [question: string, options: DigOptions, isTruncated: boolean][] = [
  ['thirty.acme.test. A', {}, true],
  ['thirty.acme.test. A', { edns: { size: 100 } }, true],
  ['thirty.acme.test. A', { edns: { size: 1232 } }, false],
  ['thirty.acme.test. A', { transport: 'tcp' }, false],
  ['hundred.acme.test. A', { edns: { size: 1232 } }, true],
  ['hundred.acme.test. A', { edns: { size: 65_535 } }, true],
  ['hundred.acme.test. A', { transport: 'tcp' }, false],
  ['hundred.acme.test. A', { transport: 'tcp', edns: { size: 512 } }, false],
  ['key.acme.test. TXT', {}, true],
  ['key.acme.test. TXT', { edns: {} }, false],
]

for (const [question, options, isTruncated] of SIZES) {
  const verb = isTruncated ? 'is truncated' : 'fits'
  test(`truncation: ${question} ${JSON.stringify(options)} ${verb}`, () => {
    const { status, answer, additional } = dig(ZONES, question, options)
    assert.equal(status, isTruncated ? 'NOERROR aa tc' : 'NOERROR aa')
    assert.equal(answer.length === 0, isTruncated)
    assert.deepEqual(additional, options.edns ? ['OPT 1232 v0'] : [])
  })
}

test('truncation: helpful addresses that do not fit are left out whole, and TC stays clear', () => {
  const { status, additional } = dig(ZONES, 'mx.acme.test. MX')
  assert.equal(status, 'NOERROR aa')
  assert.deepEqual(additional, ['acme.test. 300 A 192.0.2.1'])
  assert.equal(dig(ZONES, 'mx.acme.test. MX', { edns: {} }).additional.length, 1 + 30 + 1)
})

test('truncation: glue that does not fit is not helpful but needed, so TC is set', () => {
  const small = dig(ZONES, 'sub.acme.test. A', { edns: { size: 800 } })
  assert.equal(small.status, 'NOERROR tc')
  const large = dig(ZONES, 'sub.acme.test. A', { transport: 'tcp' })
  assert.equal(large.additional.length, 13)
})

test('truncation: at every size a reply is as long as asked or shorter', () => {
  for (let size = 512; size <= 1300; size++) {
    for (const name of ['thirty', 'mx', 'sub', 'key', 'absent']) {
      const query = queryOf(`${name}.acme.test. ${name === 'mx' ? 'MX' : 'A'}`, { edns: { size } })
      const { reply } = answerQuery(query, ZONES, 'udp')!
      assert.ok(reply.length <= Math.min(size, 1232))
      assert.ok(decode(reply))
    }
  }
})

test('txt: a long value is split into strings of 255 octets', () => {
  const [line] = dig(ZONES, 'key.acme.test. TXT', { edns: {} }).answer
  const strings = [...line!.matchAll(/"(k+)"/g)].map(([, string]) => string!.length)
  assert.deepEqual(strings, [255, 255, 90])
})
