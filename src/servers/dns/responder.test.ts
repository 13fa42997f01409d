import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RRset } from '#drivers/zone/contract.ts'
import { queryOf, zonesOf } from './dig.ts'
import type { Kind } from './responder.ts'

const rrset = (name: string, type: RRset['type'], data: string): RRset => ({
  name,
  type,
  ttl: 60,
  data: [data],
})

const ZONES = zonesOf({
  apex: 'acme.test.',
  nameservers: ['ns1.pool.test.'],
  serial: 1,
  rrsets: [
    rrset('a.acme.test.', 'A', '192.0.2.1'),
    rrset('*.wild.acme.test.', 'A', '192.0.2.2'),
    rrset('alias.acme.test.', 'CNAME', 'absent.acme.test.'),
    rrset('sub.acme.test.', 'NS', 'ns.elsewhere.test.'),
  ],
})

function said(question: string): { kind: Kind; nameHash: number } {
  const query = queryOf(question)
  const { responder } = ZONES
  responder.answer(query, 0, query.length, 'udp', new Uint8Array(1232), 0)
  return { kind: responder.kind, nameHash: responder.nameHash }
}

/** Two questions, the kind of both replies, and whether they are about one name to the rate limit. */
const ROWS: [kind: Kind, one: string, other: string, isSame: boolean][] = [
  ['answer', 'a.acme.test. A', 'A.ACME.test. A', true],
  ['answer', 'a.acme.test. A', 'acme.test. NS', false],
  ['answer', 'x.wild.acme.test. A', 'y.z.wild.acme.test. A', true],
  ['nxdomain', 'x.acme.test. A', 'y.acme.test. MX', true],
  ['nxdomain', 'x.acme.test. A', 'alias.acme.test. A', true],
  ['nodata', 'a.acme.test. MX', 'acme.test. A', true],
  ['referral', 'x.sub.acme.test. A', 'y.sub.acme.test. MX', true],
  ['error', 'elsewhere.test. A', 'other.test. A', true],
]

for (const [kind, one, other, isSame] of ROWS) {
  test(`${kind}: ${one} and ${other} are ${isSame ? 'one name' : 'two names'} to the rate limit`, () => {
    const [first, second] = [said(one), said(other)]
    assert.deepEqual([first.kind, second.kind], [kind, kind])
    assert.equal(first.nameHash === second.nameHash, isSame)
  })
}
