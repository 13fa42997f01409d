import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode } from 'dns-packet'
import type { RRset } from '#drivers/zone/contract.ts'
import { seededRandom } from '../../../test/random.ts'
import { answerQuery } from './answer.ts'
import { queryOf, zonesOf } from './dig.ts'

const PACKETS = 5000

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
  assert.ok(decode(reply))
  assert.ok(reply.length <= limit)
  assert.equal(reply.readUInt16BE(0), query.readUInt16BE(0))
  assert.equal(reply.readUInt16BE(2) & 0x8000, 0x8000)
}

test(`fuzz: ${PACKETS} random and mutated packets get a valid reply or none`, () => {
  let replies = 0
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
    }
  }
  assert.ok(replies > PACKETS / 2, `only ${replies} replies`)
})
