/** The contract of a zone host as tests. Every zone driver passes them, or has an excuse. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { rdataFromWire } from '#dns/rdata.ts'
import { absolute } from '#names/domain-name.ts'
import { anyRdata } from '../../../test/arbitrary-rdata.ts'
import type { Change, ClaimRef, RRset, RRsetType, ZoneDriver } from './contract.ts'

/**
 * A driver with all that its tests need, whether in memory, with an emulator, or live. `claim` and
 * `rival` are claims on one name with their own pairs; neither has a zone yet.
 */
export type Bench = AsyncDisposable & {
  driver: ZoneDriver
  claim: ClaimRef
  rival: ClaimRef
  /** Queries the host's own nameservers; absent where the bench has none. */
  ask?(name: string, type: RRsetType | 'SOA'): Promise<Seen>
}

/** A nameserver's answer; `data` in the form of the DNS library. */
export type Seen = {
  rcode: string
  flag_aa?: boolean
  answers: readonly { name: string; type: string; ttl: number; data: unknown }[]
}

type Row = readonly [label: string, type: RRsetType, ...data: string[]]

/** What a customer's zone may hold. Values that the driver objects to are skipped. */
const HELD = {
  'an A rrset': ['www', 'A', '192.0.2.1', '192.0.2.2'],
  'an AAAA rrset': ['www', 'AAAA', '2001:db8::1'],
  'a CAA rrset': ['', 'CAA', '0 issue "ca.example"', '128 iodef "mailto:caa@example.net"'],
  'a CNAME rrset': ['autoconfig', 'CNAME', 'autoconfig.example.net.'],
  'a DS rrset beside its NS': ['signed', 'DS', `12345 13 2 ${'ab'.repeat(32)}`],
  'an HTTPS rrset': ['web', 'HTTPS', '1 . alpn=h2,h3 ipv4hint=192.0.2.1'],
  'a NAPTR rrset': ['sip', 'NAPTR', '10 20 "S" "SIP+D2U" "" _sip._udp.example.net.'],
  'a PTR rrset': ['_ipp._tcp', 'PTR', 'printer.example.net.'],
  'an SSHFP rrset': ['ssh', 'SSHFP', `4 2 ${'cd'.repeat(32)}`],
  'an SVCB rrset': ['_dns', 'SVCB', '1 dot.example.net. port=853'],
  'a TLSA rrset': ['_25._tcp.mx', 'TLSA', `3 1 1 ${'ef'.repeat(32)}`],
  'an rrset of a type without a name': ['unnamed', 'TYPE65280', '\\# 2 abcd'],
  'a TXT value of several strings': ['strings', 'TXT', '"a=1" "b=2"'],
  'a TXT value that is no text': ['octets', 'TXT', '"\\000\\255"'],
  'a target whose label holds a space': ['space', 'CNAME', 'My\\032Printer._ipp._tcp.example.net.'],
  'an MX rrset': ['', 'MX', '10 mx1.example.net.', '20 mx2.example.net.'],
  'a null MX': ['nomail', 'MX', '0 .'],
  'an NS rrset below the apex': ['cut', 'NS', 'ns1.example.net.', 'ns2.example.net.'],
  'an SRV rrset': ['_submissions._tcp', 'SRV', '0 1 465 mail.example.net.'],
  'a TXT rrset of several values': ['', 'TXT', 'v=spf1 -all', 'site-verification=1'],
  'a TXT value of 255 octets': ['edge', 'TXT', 'a'.repeat(255)],
  'a TXT value longer than 255 octets': ['s1._domainkey', 'TXT', `v=DKIM1; p=${'A'.repeat(800)}`],
  'a TXT value with quotes, semicolons and backslashes': ['odd', 'TXT', 'a "b" \\c; d\\032'],
  'a TXT value with spaces at its ends': ['padded', 'TXT', ' a  b '],
  'a TXT rrset at a wildcard': ['*', 'TXT', 'v=spf1 -all'],
  'an MX rrset at a wildcard below the apex': ['*.eu', 'MX', '10 mx1.example.net.'],
  'a TXT rrset at an underscore name': ['_dmarc', 'TXT', 'v=DMARC1; p=none'],
  'an A rrset at a deep name': ['a.b.c.d', 'A', '192.0.2.3'],
} as const satisfies Record<string, Row>

/** What mail needs: a host must not object to any of these. */
const NEEDED: readonly (keyof typeof HELD)[] = [
  'an MX rrset',
  'a null MX',
  'a TXT rrset of several values',
  'a TXT value longer than 255 octets',
  'a TXT rrset at an underscore name',
]

type Check = (zone: Zone, bench: Bench, signal: AbortSignal) => Promise<void>
type HeldName = keyof typeof HELD
export type Excuses = Partial<Record<CheckName, string>>
export type CheckName = keyof typeof CHECKS | `${HeldName} is read back unchanged`

const CHECKS = {
  'ensureZone names at least two servers, without trailing dots': async (zone) => {
    const nameservers = await zone.ensure()
    assert.ok(new Set(nameservers).size >= 2, 'a zone needs two nameservers to be delegated')
    for (const name of nameservers) assert.match(name, /^[a-z0-9.-]*[a-z0-9]$/)
  },
  'ensureZone is safe to repeat': async (zone) => {
    assert.deepEqual(await zone.ensure(), await zone.ensure())
  },
  'ensureZone is safe to run many times at once': async (zone) => {
    const answers = await Promise.all(Array.from({ length: 5 }, zone.ensure))
    for (const answer of answers) assert.deepEqual(answer, answers[0])
    assert.deepEqual(await zone.read(), [])
  },
  'ensureZone keeps what the zone holds': async (zone) => {
    await zone.ensure()
    await zone.put(zone.rrset('an MX rrset'))
    await zone.ensure()
    assert.deepEqual(await zone.read(), [zone.rrset('an MX rrset')])
  },
  'a new zone holds nothing but its SOA and NS, which are not read': async (zone) => {
    await zone.ensure()
    assert.deepEqual(await zone.read(), [])
  },
  'before it is made, a zone can neither be read nor changed': async (zone) => {
    await assertAbsent(zone)
  },
  'there is no objection to what mail needs': async (zone, { driver }) => {
    for (const what of NEEDED) assert.equal(driver.objectionTo(zone.rrset(what)), undefined, what)
  },
  'what there is no objection to is read back unchanged, whatever it is': async (
    zone,
    { driver },
  ) => {
    await zone.ensure()
    const anyOfEachType = fc.uniqueArray(anyRdata, {
      minLength: 8,
      maxLength: 8,
      selector: ({ type }) => type,
    })
    const holds = async (records: Parameters<Parameters<typeof anyOfEachType.map>[0]>[0]) => {
      const rrsets = records
        .map(({ type, octets }, i) => zone.at(`n${i}`, type, rdataFromWire(type, octets)))
        .filter((rrset) => driver.objectionTo(rrset) === undefined)
      await zone.put(...rrsets)
      assert.deepEqual(await zone.read(), rrsets.toSorted(byNameAndType))
      await zone.drop(...rrsets)
    }
    await fc.assert(fc.asyncProperty(anyOfEachType, holds), { numRuns: 25 })
  },
  'a repeated put leaves the zone as it was': async (zone) => {
    await zone.ensure()
    await zone.put(zone.rrset('an MX rrset'))
    await zone.put(zone.rrset('an MX rrset'))
    assert.deepEqual(await zone.read(), [zone.rrset('an MX rrset')])
  },
  'a put replaces the values and the TTL that were there': async (zone) => {
    const after = { ...zone.rrset('an MX rrset'), ttl: 600, data: ['5 mx9.example.net.'] }
    await zone.ensure()
    await zone.put(zone.rrset('an MX rrset'))
    await zone.put(after)
    assert.deepEqual(await zone.read(), [after])
  },
  'no change changes nothing': async (zone) => {
    await zone.ensure()
    await zone.put(zone.rrset('an MX rrset'))
    await zone.change([])
    assert.deepEqual(await zone.read(), [zone.rrset('an MX rrset')])
  },
  'dropping an rrset keeps its neighbours of the same name, of the same type and below': async (
    zone,
  ) => {
    const gone = zone.at('a', 'TXT', 'x')
    const kept = [
      zone.at('', 'TXT', 'x'),
      zone.at('*.a', 'TXT', 'x'),
      zone.at('a', 'MX', '10 mx1.example.net.'),
      zone.at('aa', 'TXT', 'x'),
      zone.at('b.a', 'TXT', 'x'),
    ]
    await zone.ensure()
    await zone.put(...kept, gone)
    await zone.drop(gone)
    assert.deepEqual(await zone.read(), kept.toSorted(byNameAndType))
  },
  'dropping an absent rrset is success and changes nothing': async (zone) => {
    await zone.ensure()
    await zone.put(zone.at('a', 'TXT', 'x'))
    await zone.drop(zone.at('a', 'MX'))
    await zone.drop(zone.at('b', 'TXT'))
    assert.deepEqual(await zone.read(), [zone.at('a', 'TXT', 'x')])
  },
  'a put touches no rrset that is not its own': async (zone) => {
    const foreign = [
      { ...zone.at('', 'TXT', 'v=spf1 include:other.example ~all'), ttl: 86_400 },
      zone.at('', 'CAA', '0 issue ";"'),
      zone.at('*', 'MX', '10 other.example.'),
    ]
    await zone.ensure()
    await zone.put(...foreign)
    await zone.put(zone.at('', 'MX', '10 mx1.example.net.'), zone.at('new', 'MX', '0 .'))
    const left = await zone.read()
    for (const rrset of foreign) assert.deepEqual(find(left, rrset), rrset)
    assert.equal(left.length, 5)
  },
  'one call drops and puts': async (zone) => {
    const [old, kept] = [zone.at('a', 'CNAME', 'x.example.'), zone.at('b', 'TXT', 'x')]
    const put = zone.at('a', 'TXT', 'x')
    await zone.ensure()
    await zone.put(old, kept)
    await zone.change([{ drop: { name: old.name, type: old.type } }, { put }])
    assert.deepEqual(await zone.read(), [put, kept])
  },
  'many changes in one call all come about, and are all read': async (zone) => {
    const many = Array.from({ length: 180 }, (_, index) => zone.at(`n${index}`, 'TXT', `${index}`))
    await zone.ensure()
    await zone.put(...many)
    assert.deepEqual(await zone.read(), many.toSorted(byNameAndType))
    await zone.drop(...many.slice(1))
    assert.deepEqual(await zone.read(), many.slice(0, 1))
  },
  'concurrent writers at different names lose nothing': async (zone) => {
    const all = Array.from({ length: 12 }, (_, index) => zone.at(`w${index}`, 'TXT', `${index}`))
    await zone.ensure()
    await Promise.all(all.map((rrset) => zone.put(rrset)))
    assert.deepEqual(await zone.read(), all.toSorted(byNameAndType))
  },
  'removeZone is safe to repeat, and an absent zone is success': async (zone) => {
    await zone.remove()
    await zone.ensure()
    await zone.remove()
    await zone.remove()
    await assertAbsent(zone)
  },
  'a removed zone can neither be read nor changed': async (zone) => {
    await zone.ensure()
    await zone.put(zone.rrset('an MX rrset'))
    await zone.remove()
    await assertAbsent(zone)
  },
  'a zone that is made again is empty': async (zone) => {
    await zone.ensure()
    await zone.put(zone.rrset('an MX rrset'))
    await zone.remove()
    await zone.ensure()
    assert.deepEqual(await zone.read(), [])
  },
  'two claims on one name do not see what the other holds': async (zone, { rival }) => {
    const other = zone.of(rival)
    await Promise.all([zone.ensure(), other.ensure()])
    await zone.put(zone.at('', 'TXT', 'ours'))
    await other.put(zone.at('', 'TXT', 'theirs'), zone.at('x', 'TXT', 'theirs'))
    await zone.drop(zone.at('x', 'TXT'))
    assert.deepEqual(await zone.read(), [zone.at('', 'TXT', 'ours')])
    assert.equal((await other.read()).length, 2)
  },
  'removing one claim’s zone keeps the zone of another claim on the name': async (
    zone,
    { rival },
  ) => {
    const other = zone.of(rival)
    await Promise.all([zone.ensure(), other.ensure()])
    await other.put(zone.at('', 'TXT', 'theirs'))
    await zone.remove()
    assert.deepEqual(await other.read(), [zone.at('', 'TXT', 'theirs')])
    await assertAbsent(zone)
  },
  'a zone with another claim’s stamp is neither adopted, read, changed nor removed': async (
    zone,
    { rival },
  ) => {
    const other = zone.of(rival)
    await other.ensure()
    await other.put(zone.at('', 'TXT', 'theirs'))
    await assert.rejects(zone.ensure(), { name: 'DriverError', kind: 'conflict' })
    await assertAbsent(zone)
    await zone.remove()
    assert.deepEqual(await other.read(), [zone.at('', 'TXT', 'theirs')])
  },
  'once a claim has removed its zone, another claim on the name can have one': async (
    zone,
    { rival },
  ) => {
    const other = zone.of(rival)
    await other.ensure()
    await other.put(zone.at('', 'TXT', 'theirs'))
    await other.remove()
    await zone.ensure()
    assert.deepEqual(await zone.read(), [])
    await assertAbsent(other)
  },
  'the host’s own nameservers answer what was put, with authority': async (zone, { ask }) => {
    assert.ok(ask, 'the bench has nameservers')
    await zone.ensure()
    // Longer than one character-string, and short enough for a small answer over UDP.
    const long = zone.at('s1._domainkey', 'TXT', `v=DKIM1; p=${'A'.repeat(300)}`)
    await zone.put(zone.rrset('an MX rrset'), long, zone.at('*.wild', 'TXT', 'any'))
    const mx = await ask(zone.name, 'MX')
    assert.equal(mx.flag_aa, true)
    assert.deepEqual(mx.answers.map(({ data }) => JSON.stringify(data)).toSorted(), [
      '{"preference":10,"exchange":"mx1.example.net"}',
      '{"preference":20,"exchange":"mx2.example.net"}',
    ])
    assert.equal(textOf(await ask(`s1._domainkey.${zone.name}`, 'TXT')), long.data[0])
    assert.equal(textOf(await ask(`some.name.wild.${zone.name}`, 'TXT')), 'any')
    assert.equal((await ask(`nothing.${zone.name}`, 'TXT')).rcode, 'NXDOMAIN')
  },
  'the host’s own nameservers answer a change, and nothing once the zone is removed': async (
    zone,
    { ask },
  ) => {
    assert.ok(ask, 'the bench has nameservers')
    await zone.ensure()
    await zone.put(zone.at('', 'TXT', 'before'))
    assert.equal(textOf(await ask(zone.name, 'TXT')), 'before')
    await zone.put(zone.at('', 'TXT', 'after'))
    assert.equal(textOf(await ask(zone.name, 'TXT')), 'after')
    await zone.remove()
    assert.notEqual((await ask(zone.name, 'TXT')).rcode, 'NOERROR')
  },
  'a call that is aborted under way leaves a zone that can be finished': async (
    zone,
    { claim },
  ) => {
    const many = Array.from({ length: 40 }, (_, index) => zone.at(`n${index}`, 'TXT', `${index}`))
    for (const afterMs of [0, 1, 2, 5, 10]) {
      const cut = zone.of(claim, AbortSignal.timeout(afterMs))
      await cut.ensure().catch(() => undefined)
      await cut.put(...many).catch(() => undefined)
    }
    await zone.ensure()
    await zone.put(...many)
    assert.deepEqual(await zone.read(), many.toSorted(byNameAndType))
  },
  'many claims’ zones are made and removed at once, each its own': async (zone, { claim }) => {
    const others = Array.from({ length: 6 }, (_, index) =>
      zone.of({ ...claim, claimId: randomUUID(), name: `z${index}.${claim.name}` }),
    )
    await Promise.all(others.map((other) => other.ensure()))
    await Promise.all(others.map((other) => other.put(other.at('', 'TXT', other.name))))
    await Promise.all(others.slice(1).map((other) => other.remove()))
    assert.deepEqual(await others[0]!.read(), [others[0]!.at('', 'TXT', others[0]!.name)])
    for (const other of others.slice(1)) await assertAbsent(other)
    await others[0]!.remove()
  },
  'with an aborted signal every call throws and changes nothing': async (zone, { claim }) => {
    const late = zone.of(claim, AbortSignal.abort())
    await assert.rejects(late.ensure())
    await assertAbsent(zone)
    await zone.ensure()
    await zone.put(zone.at('a', 'TXT', 'x'))
    await assert.rejects(late.read())
    await assert.rejects(late.put(zone.at('b', 'TXT', 'x')))
    await assert.rejects(late.drop(zone.at('a', 'TXT')))
    await assert.rejects(late.remove())
    assert.deepEqual(await zone.read(), [zone.at('a', 'TXT', 'x')])
  },
} satisfies Record<string, Check>

function heldCheck(what: HeldName): [CheckName, Check] {
  return [
    `${what} is read back unchanged`,
    async (zone, { driver }) => {
      const rrset = zone.rrset(what)
      if (driver.objectionTo(rrset) !== undefined) return
      await zone.ensure()
      await zone.put(rrset)
      assert.deepEqual(await zone.read(), [rrset])
    },
  ]
}

/** Runs every check against a fresh bench, except those excused with a reason. */
export function zoneDriverConformance(
  name: string,
  open: () => Promise<Bench>,
  excused: Excuses = {},
): void {
  const held = (Object.keys(HELD) as HeldName[]).map(heldCheck)
  describe(`zone driver: ${name}`, () => {
    for (const [check, run] of [...(Object.entries(CHECKS) as [CheckName, Check][]), ...held]) {
      test(check, { skip: excused[check] ?? false }, async ({ signal }) => {
        await using bench = await open()
        await run(zoneAt(bench.driver, bench.claim, signal), bench, signal)
      })
    }
  })
}

type Zone = ReturnType<typeof zoneAt>

/** The driver's calls for one claim, with rrsets in a fixed order. */
function zoneAt(driver: ZoneDriver, claim: ClaimRef, signal: AbortSignal) {
  const change = (changes: readonly Change[]) => driver.changeZone(claim, changes, signal)
  const at = (label: string, type: RRsetType, ...data: string[]): RRset => {
    return {
      name: absolute(label === '' ? claim.name : `${label}.${claim.name}`),
      type,
      ttl: 300,
      data,
    }
  }
  return {
    name: claim.name,
    ensure: async () => (await driver.ensureZone(claim, signal)).nameservers,
    readIfThere: () => driver.readZone(claim, signal),
    async read() {
      const rrsets = await driver.readZone(claim, signal)
      assert.ok(rrsets, 'there is a zone')
      return rrsets.map(sorted).toSorted(byNameAndType)
    },
    change,
    put: (...rrsets: RRset[]) => change(rrsets.map((put) => ({ put }))),
    drop: (...rrsets: RRset[]) =>
      change(rrsets.map(({ name, type }) => ({ drop: { name, type } }))),
    remove: () => driver.removeZone(claim, signal),
    at,
    rrset: (what: HeldName) => sorted(at(...(HELD[what] as Row))),
    of: (other: ClaimRef, otherSignal = signal) => zoneAt(driver, other, otherSignal),
  }
}

async function assertAbsent(zone: Zone): Promise<void> {
  const no = { name: 'DriverError', kind: 'rejected' }
  assert.equal(await zone.readIfThere(), undefined)
  await assert.rejects(zone.put(zone.at('', 'TXT', 'x')), no)
  await assert.rejects(zone.drop(zone.at('', 'TXT')), no)
}

/** The text of a TXT answer: the library gives its strings, which are joined. */
const textOf = ({ answers }: Seen): string | undefined =>
  answers[0] && [answers[0].data].flat().map(String).join('')

/** The order of an rrset's values is irrelevant. */
const sorted = (rrset: RRset): RRset => ({ ...rrset, data: rrset.data.toSorted() })

const keyOf = ({ name, type }: RRset): string => `${name} ${type}`
const byNameAndType = (a: RRset, b: RRset): number => (keyOf(a) < keyOf(b) ? -1 : 1)
const find = (rrsets: readonly RRset[], wanted: RRset): RRset | undefined =>
  rrsets.find((rrset) => keyOf(rrset) === keyOf(wanted))
