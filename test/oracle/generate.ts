/** Generated zones and questions: few labels, so that names meet, and every rule of the server in reach. */
import { nameToWire } from '#dns/name.ts'
import { numberOfType } from '#dns/types.ts'
import type { RRset, RRsetType } from '#drivers/zone/contract.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import { seededRandom } from '../random.ts'

export type Random = {
  below(count: number): number
  of<T>(choices: readonly T[]): T
  chance(share: number): boolean
}

export function randomFrom(seed: number): Random {
  const random = seededRandom(seed)
  const below = (count: number) => Math.floor(random() * count)
  return {
    below,
    of: (choices) => choices[below(choices.length)]!,
    chance: (share) => random() < share,
  }
}

const APEXES = [
  '.',
  'test.',
  'acme.test.',
  'mail.acme.test.',
  'x.mail.acme.test.',
  'other.test.',
  'pool.test.',
]
const LABELS = [
  'a',
  'b',
  'c',
  '*',
  'www',
  'mail',
  'acme',
  'x',
  '_tcp',
  'ns1',
  '\\000',
  'a\\.b',
  '\\255z',
]
const PAIRS = [
  ['ns1.pool.test.', 'ns2.pool.test.'],
  ['ns1.mail.acme.test.', 'ns2.elsewhere.test.'],
  ['NS2.Pool.test.', 'ns1.pool.test.'],
  ['ns1.acme.test.'],
]
const TYPES: readonly RRsetType[] = ['A', 'AAAA', 'CAA', 'CNAME', 'CNAME', 'MX', 'NS', 'SRV', 'TXT']
const QTYPES = [1, 1, 2, 5, 6, 15, 16, 28, 33, 43, 43, 255, 257, 99, 252, 251, 41]

export function randomZones(random: Random): ServedZone[] {
  const apexes = APEXES.filter(() => random.chance(0.55))
  return (apexes.length > 0 ? apexes : ['acme.test.']).map((apex) => randomZone(random, apex))
}

function randomZone(random: Random, apex: string): ServedZone {
  const rrsets = Array.from({ length: random.below(30) }, () => randomRRset(random, apex))
  const cuts = APEXES.filter(
    (below) => below !== apex && `.${below}`.endsWith(`.${apex}`) && random.chance(0.4),
  )
  const delegations = cuts.map(
    (name): RRset => ({ name, type: 'NS', ttl: 60, data: random.of(PAIRS) }),
  )
  const signed = [...rrsets, ...delegations].filter(
    ({ type }) => type === 'NS' && random.chance(0.3),
  )
  return {
    apex,
    nameservers: random.of(PAIRS),
    serial: random.below(1000),
    rrsets: [...rrsets, ...delegations],
    isUnconfirmed: random.chance(0.2),
    ds: signed.map(({ name }) => ({ name, data: ['12345 13 2 00ff'] })),
    negativeTtl: random.below(100),
  }
}

function randomRRset(random: Random, apex: string): RRset {
  const type = random.of(TYPES)
  const count = type === 'CNAME' ? 1 : 1 + random.below(random.chance(0.1) ? 40 : 3)
  const data = Array.from({ length: count }, () => randomData(random, type))
  return { name: randomName(random, apex), type, ttl: random.below(2 ** 31), data }
}

export function randomName(random: Random, apex = random.of(APEXES)): string {
  const depth = random.chance(0.02) ? 20 + random.below(40) : random.below(4)
  const labels = Array.from({ length: depth }, () => random.of(LABELS))
  const name = labels.length === 0 ? apex : `${labels.join('.')}.${apex === '.' ? '' : apex}`
  return name.length > 250 ? apex : name
}

function randomData(random: Random, type: RRsetType): string {
  const octet = () => random.below(256)
  const target = () => {
    const name = random.chance(0.1) ? 'host.elsewhere.example.' : randomName(random)
    return random.chance(0.2) ? name.replace(/[a-z]/g, (letter) => letter.toUpperCase()) : name
  }
  if (type === 'A') return `192.0.2.${octet()}`
  if (type === 'AAAA') return `2001:db8::${octet().toString(16)}`
  if (type === 'CAA') return `0 issue "ca${octet()}.test"`
  if (type === 'MX') return `${octet()} ${target()}`
  if (type === 'SRV') return `0 1 ${octet()} ${target()}`
  if (type === 'TXT' && random.chance(0.2)) {
    const key = Buffer.from(Array.from({ length: 48 + random.below(300) }, octet)).toString(
      'base64',
    )
    return `v=DKIM1; p=${key}${random.of(['', '; t=s', '='])}`
  }
  if (type === 'TXT') return 't'.repeat(random.below(random.chance(0.1) ? 1500 : 60))
  return target()
}

/** A query, often for an rrset of the zones, or for a name near it. */
export function randomQuery(random: Random, zones: readonly ServedZone[] = []): Buffer {
  const held = zones.flatMap(({ rrsets }) => rrsets)
  const near = held.length > 0 && random.chance(0.6) ? random.of(held) : undefined
  const asked = near && random.chance(0.25) ? randomName(random, near.name) : near?.name
  const name = nameToWire(asked ?? randomName(random))
  for (let i = 0; i < name.length; i++) {
    const isLetter = name[i]! >= 0x61 && name[i]! <= 0x7a
    if (isLetter && random.chance(0.3)) name[i]! -= 0x20
  }
  const type = near && random.chance(0.6) ? numberOfType(near.type)! : random.of(QTYPES)
  const qclass = random.chance(0.95) ? 1 : random.of([255, 3, 4])
  const hasEdns = random.chance(0.6)
  const flags = random.chance(0.3) ? 0x0100 : 0
  const header = u16s(random.below(65_536), flags, 1, 0, 0, hasEdns ? 1 : 0)
  return Buffer.concat([
    header,
    name,
    u16s(type, qclass),
    hasEdns ? randomOpt(random) : Buffer.of(),
  ])
}

function randomOpt(random: Random): Buffer {
  const size = random.of([0, 512, 513, 700, 1232, 4096, 65_535, 512 + random.below(800)])
  const version = random.chance(0.05) ? 0x0100 : 0
  const options = random.chance(0.1) ? Buffer.from([0, 3, 0, 1, 7]) : Buffer.of()
  const fixed = u16s(41, size, version >> 8, random.chance(0.5) ? 0x8000 : 0, options.length)
  return Buffer.concat([Buffer.of(0), fixed, options])
}

/** The packet with some octets changed, and perhaps some lost or added at its end. */
export function mutated(random: Random, packet: Buffer): Buffer {
  const longer = Buffer.concat([
    packet,
    Buffer.from(Array.from({ length: random.below(30) }, () => random.below(256))),
  ])
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    longer[2 + random.below(longer.length - 2)] = random.of([
      0,
      1,
      12,
      63,
      0xc0,
      0xff,
      random.below(256),
    ])
  }
  return random.chance(0.3) ? longer.subarray(0, random.below(longer.length)) : longer
}

function u16s(...numbers: number[]): Buffer {
  const octets = Buffer.alloc(2 * numbers.length)
  for (const [i, number] of numbers.entries()) octets.writeUInt16BE(number, 2 * i)
  return octets
}
