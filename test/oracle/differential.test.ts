/**
 * The product's nameserver against the plain one in this folder, octet by octet.
 * MAILSTEAD_TEST_MESSAGES sets how many messages are compared.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerQuery } from '#servers/dns/answer.ts'
import { Zones } from '#servers/dns/zones.ts'
import { answerQuery as oracleAnswer } from './answer.ts'
import { mutated, randomFrom, randomQuery, randomZones } from './generate.ts'
import { Zones as OracleZones } from './zones.ts'

const MESSAGES = Number(process.env.MAILSTEAD_TEST_MESSAGES ?? 60_000)
const MESSAGES_A_SET = 500

test(`${MESSAGES} messages are answered as the oracle answers them`, () => {
  const sizes = { udp: 1232, tcp: 65_535 }
  const rcodes = new Set<number>()
  for (let seed = 1; seed <= MESSAGES / MESSAGES_A_SET; seed++) {
    const random = randomFrom(seed)
    const [zones, oracle] = [new Zones(), new OracleZones()]
    const served = randomZones(random)
    for (const zone of served) {
      assert.deepEqual(zones.set(zone), [])
      oracle.set(zone)
    }
    for (let i = 0; i < MESSAGES_A_SET; i++) {
      const query = randomQuery(random, served)
      const message = random.chance(0.2) ? mutated(random, query) : query
      const transport = random.of(['udp', 'udp', 'tcp'] as const)
      const answered = answerQuery(message, zones, transport)
      const expected = oracleAnswer(message, oracle, transport)
      assert.deepEqual(
        answered,
        expected,
        `seed ${seed}, message ${i}, ${transport}: ${message.toString('hex')}`,
      )
      assert.ok((answered?.reply.length ?? 0) <= sizes[transport])
      if (answered) rcodes.add(answered.reply[3]! & 0x0f)
    }
  }
  assert.deepEqual([...rcodes].toSorted(), [0, 1, 3, 4, 5], 'every RCODE has been seen')
})
