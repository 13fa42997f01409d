import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode } from 'dns-packet'
import type { RRset } from '#drivers/zone/contract.ts'
import { seededRandom } from '../../../test/random.ts'
import { answerQuery } from './answer.ts'
import { queryOf, zonesOf } from './dig.ts'

const IS_TORTURE = process.env.MAILSTEAD_TORTURE === 'true'
/** MAILSTEAD_TEST_MESSAGES sets how many packets are tried. */
const PACKETS = Number(process.env.MAILSTEAD_TEST_MESSAGES ?? (IS_TORTURE ? 1_000_000 : 100_000))
/** The library that decodes is slow, so it sees some of the replies only. */
const DECODED_OF = 20

function randomFrom(seed: number): (below: number) => number {
  const random = seededRandom(seed)
  return (below) => Math.floor(random() * below)
}

const rrset = (name: string, type: RRset['type'], data: string): RRset => ({
  name,
  type,
  ttl: 1,
  data: [data],
})

const ZONES = zonesOf({
  apex: '.',
  nameservers: ['ns.'],
  serial: 1,
  rrsets: [
    rrset('*.', 'TXT', 't'.repeat(700)),
    rrset('alias.acme.', 'CNAME', '*.'),
    rrset('sub.acme.', 'NS', 'ns.sub.acme.'),
    rrset('ns.sub.acme.', 'A', '192.0.2.1'),
  ],
})

const SEEDS = [
  queryOf('x.y.acme. TXT', { edns: { dnssecOk: true } }),
  queryOf('alias.acme. A', { edns: { size: 512 } }),
  queryOf('host.sub.acme. ANY'),
  queryOf('. NS', { recursive: true }),
]

const random = randomFrom(1035)

function randomPacket(): Buffer {
  return Buffer.from(Array.from({ length: random(80) }, () => random(256)))
}

/** A good query with some octets changed, and perhaps some lost or added at its end. */
function mutatedPacket(): Buffer {
  const packet = Buffer.concat([SEEDS[random(SEEDS.length)]!, randomPacket()])
  const length = random(3) === 0 ? random(packet.length) : packet.length
  for (let changes = random(4); changes > 0; changes--) packet[2 + random(40)] = random(256)
  return packet.subarray(0, length)
}

function assertValid(query: Buffer, reply: Buffer, limit: number): void {
  assert.ok(reply.length <= limit && reply.length >= 12)
  assert.equal(reply.readUInt16BE(0), query.readUInt16BE(0))
  assert.equal(reply.readUInt16BE(2) & 0x8000, 0x8000)
}

test('fuzz: however many packets come, nothing is kept of them', () => {
  const heap = () => {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed
  }
  const out = new Uint8Array(65_535)
  const packets = Array.from({ length: 1000 }, mutatedPacket)
  const round = () => {
    for (let i = 0; i < 50; i++) {
      for (const packet of packets) ZONES.responder.answer(packet, 0, packet.length, 'udp', out, 0)
    }
  }
  round()
  const used = heap()
  round()
  assert.ok(heap() - used < 2 ** 20, `${heap() - used} octets for 50,000 packets`)
})

test(`fuzz: ${PACKETS} random and mutated packets get a valid reply or none`, () => {
  let replies = 0
  let largest = 0
  for (let i = 0; i < PACKETS; i++) {
    const query = i % 4 === 0 ? randomPacket() : mutatedPacket()
    for (const [transport, limit] of [
      ['udp', 1232],
      ['tcp', 65_535],
    ] as const) {
      const answered = answerQuery(query, ZONES, transport)
      if (answered === undefined) continue
      replies++
      assertValid(query, answered.reply, limit)
      if (i % DECODED_OF === 0) assert.ok(decode(answered.reply))
      largest = Math.max(largest, transport === 'udp' ? answered.reply.length / query.length : 0)
    }
  }
  assert.ok(replies > PACKETS / 2, `only ${replies} replies`)
  // The least query has 17 octets, and no reply over UDP more than 1232.
  assert.ok(
    largest > 10 && largest <= 1232 / 17,
    `an answer ${largest} times as large as its query`,
  )
})
