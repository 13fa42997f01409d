import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RRset, RRsetType } from '#drivers/zone/contract.ts'
import { type DigResult, dig, zonesOf } from './dig.ts'
import type { ServedZone } from './zone.ts'

const rrset = (name: string, type: RRsetType, ...data: string[]): RRset => ({
  name,
  type,
  ttl: 300,
  data,
})

const ACME: ServedZone = {
  apex: 'acme.test.',
  nameservers: ['ada.pool.test.', 'bob.pool.test.'],
  serial: 7,
  ds: [{ name: 'sub.acme.test.', data: ['12345 13 2 00ff'] }],
  rrsets: [
    rrset('acme.test.', 'A', '192.0.2.1'),
    rrset('acme.test.', 'MX', '10 mx.acme.test.', '20 mx.elsewhere.test.', '30 ns.sub.acme.test.'),
    rrset('acme.test.', 'TXT', 'v=spf1 -all'),
    rrset('mx.acme.test.', 'A', '192.0.2.25'),
    rrset('mx.acme.test.', 'AAAA', '2001:db8::25'),
    rrset('_submission._tcp.acme.test.', 'SRV', '0 1 465 mx.acme.test.', '0 1 587 mx.acme.test.'),
    rrset('a.b.ent.acme.test.', 'TXT', 'deep'),
    // Wildcards, as in the example of RFC 4592 section 2.2.1.
    rrset('*.wild.acme.test.', 'TXT', 'this is a wildcard'),
    rrset('*.wild.acme.test.', 'MX', '10 mx.acme.test.'),
    rrset('sub.*.wild.acme.test.', 'TXT', 'this is not a wildcard'),
    rrset('host1.wild.acme.test.', 'A', '192.0.2.4'),
    rrset('_ssh._tcp.host2.wild.acme.test.', 'SRV', '0 0 22 host1.wild.acme.test.'),
    rrset('*.alias.acme.test.', 'CNAME', 'mx.acme.test.'),
    rrset('*.to-absent.acme.test.', 'CNAME', 'absent.acme.test.'),
    // Aliases.
    rrset('www.acme.test.', 'CNAME', 'web.acme.test.'),
    rrset('web.acme.test.', 'CNAME', 'acme.test.'),
    rrset('dangling.acme.test.', 'CNAME', 'absent.acme.test.'),
    rrset('typeless.acme.test.', 'CNAME', 'ent.acme.test.'),
    rrset('outside.acme.test.', 'CNAME', 'www.elsewhere.test.'),
    rrset('hosted.acme.test.', 'CNAME', 'absent.other.test.'),
    rrset('down.acme.test.', 'CNAME', 'host.sub.acme.test.'),
    rrset('loop1.acme.test.', 'CNAME', 'loop2.acme.test.'),
    rrset('loop2.acme.test.', 'CNAME', 'loop1.acme.test.'),
    rrset('self.acme.test.', 'CNAME', 'self.acme.test.'),
    ...Array.from({ length: 12 }, (_, i) =>
      rrset(`chain${i}.acme.test.`, 'CNAME', `chain${i + 1}.acme.test.`),
    ),
    // Delegations.
    rrset('sub.acme.test.', 'NS', 'ns.sub.acme.test.', 'ns.elsewhere.test.'),
    rrset('ns.sub.acme.test.', 'A', '192.0.2.53'),
    rrset('ns.sub.acme.test.', 'AAAA', '2001:db8::53'),
    rrset('occluded.sub.acme.test.', 'TXT', 'below the cut'),
    rrset('sibling.acme.test.', 'NS', 'ns.sub.acme.test.', 'mx.acme.test.'),
    rrset('deep.ent2.acme.test.', 'NS', 'ns.elsewhere.test.'),
  ],
}

const OTHER: ServedZone = {
  apex: 'other.test.',
  nameservers: ['cat.pool.test.', 'dog.pool.test.'],
  serial: 1,
  rrsets: [],
}

const POOL: ServedZone = {
  apex: 'pool.test.',
  nameservers: ['ada.pool.test.'],
  serial: 1,
  rrsets: [rrset('ada.pool.test.', 'A', '192.0.2.201')],
}

const ZONES = zonesOf(ACME, OTHER, POOL)

const SOA = 'acme.test. 60 SOA ada.pool.test hostmaster.acme.test 7 14400 3600 1209600 60'
const APEX_NS = ['acme.test. 3600 NS ada.pool.test.', 'acme.test. 3600 NS bob.pool.test.']
const MX_ADDRESSES = ['mx.acme.test. 300 A 192.0.2.25', 'mx.acme.test. 300 AAAA 2001:db8::25']
const SUB_NS = [
  'sub.acme.test. 300 NS ns.sub.acme.test.',
  'sub.acme.test. 300 NS ns.elsewhere.test.',
]
const SUB_DS = 'sub.acme.test. 300 DS 12345 13 2 00ff'
const GLUE = ['ns.sub.acme.test. 300 A 192.0.2.53', 'ns.sub.acme.test. 300 AAAA 2001:db8::53']

const NODATA = { status: 'NOERROR aa', authority: [SOA] }
const NXDOMAIN = { status: 'NXDOMAIN aa', authority: [SOA] }
const REFUSED = { status: 'REFUSED' }
const REFERRAL = { status: 'NOERROR', authority: SUB_NS, additional: GLUE }

const answer = (...lines: string[]) => ({ status: 'NOERROR aa', answer: lines })

type Row = [sentence: string, question: string, expected: Partial<DigResult>]

const ROWS: Row[] = [
  [
    'apex: an rrset is answered with authority',
    'acme.test. A',
    answer('acme.test. 300 A 192.0.2.1'),
  ],
  ['apex: the SOA is made by us', 'acme.test. SOA', answer(SOA)],
  [
    'apex: the NS come with the addresses that we hold',
    'acme.test. NS',
    { ...answer(...APEX_NS), additional: ['ada.pool.test. 300 A 192.0.2.201'] },
  ],
  ['apex: an absent type is NODATA', 'acme.test. AAAA', NODATA],
  ['apex: a DS whose parent is not here is NODATA', 'acme.test. DS', NODATA],
  [
    'apex: an NXDOMAIN of one zone carries its own SOA',
    'x.other.test. A',
    {
      status: 'NXDOMAIN aa',
      authority: ['other.test. 60 SOA cat.pool.test hostmaster.other.test 1 14400 3600 1209600 60'],
    },
  ],
  ['refused: a zone that is not ours', 'elsewhere.test. A', REFUSED],
  ['refused: the zone above ours', 'test. NS', REFUSED],
  ['refused: the root', '. NS', REFUSED],
  ['refused: a name that only ends like ours', 'notacme.test. A', REFUSED],

  [
    'mx: addresses are added for hosts we hold, but not from under a cut',
    'acme.test. MX',
    {
      ...answer(
        'acme.test. 300 MX 10 mx.acme.test',
        'acme.test. 300 MX 20 mx.elsewhere.test',
        'acme.test. 300 MX 30 ns.sub.acme.test',
      ),
      additional: MX_ADDRESSES,
    },
  ],
  [
    'srv: addresses are added for the target, once',
    '_submission._tcp.acme.test. SRV',
    {
      ...answer(
        '_submission._tcp.acme.test. 300 SRV 0 1 465 mx.acme.test',
        '_submission._tcp.acme.test. 300 SRV 0 1 587 mx.acme.test',
      ),
      additional: MX_ADDRESSES,
    },
  ],

  ['nxdomain: a name that is not there', 'absent.acme.test. A', NXDOMAIN],
  ['nxdomain: below a name that is there', 'x.mx.acme.test. A', NXDOMAIN],
  ['nxdomain: whatever the type', 'absent.acme.test. ANY', NXDOMAIN],
  ['nodata: a type that the name has not', 'mx.acme.test. TXT', NODATA],
  ['nodata: a type that we do not know', 'mx.acme.test. UNKNOWN_65280', NODATA],
  ['nodata: a type of no record', 'mx.acme.test. NSEC', NODATA],
  ['ent: a name with names below exists', 'ent.acme.test. A', NODATA],
  ['ent: at every depth', 'b.ent.acme.test. TXT', NODATA],
  ['ent: an underscore name above an SRV', '_tcp.acme.test. SRV', NODATA],
  ['ent: above a delegation', 'ent2.acme.test. NS', NODATA],
  ['ent: a neighbour of one is absent', 'c.ent.acme.test. A', NXDOMAIN],
  ['ent: ANY finds nothing there', 'ent.acme.test. ANY', NODATA],

  // RFC 4592 section 2.2.1, in its order.
  [
    'wildcard: a name below the closest encloser is synthesized',
    'host3.wild.acme.test. MX',
    { ...answer('host3.wild.acme.test. 300 MX 10 mx.acme.test'), additional: MX_ADDRESSES },
  ],
  ['wildcard: a type that the wildcard has not is NODATA', 'host3.wild.acme.test. A', NODATA],
  [
    'wildcard: it stands for several labels',
    'foo.bar.wild.acme.test. TXT',
    answer('foo.bar.wild.acme.test. 300 TXT "this is a wildcard"'),
  ],
  ['wildcard: an existing name blocks it', 'host1.wild.acme.test. MX', NODATA],
  ['wildcard: a wildcard label in the question exists', 'sub.*.wild.acme.test. MX', NODATA],
  ['wildcard: an empty non-terminal blocks it', '_tcp.host2.wild.acme.test. TXT', NODATA],
  ['wildcard: so does one in its own row', 'host2.wild.acme.test. TXT', NODATA],
  [
    'closest encloser: an existing name below the parent of the wildcard hides the wildcard',
    '_telnet._tcp.host1.wild.acme.test. SRV',
    NXDOMAIN,
  ],
  [
    'closest encloser: an empty non-terminal hides it too',
    'x._tcp.host2.wild.acme.test. TXT',
    NXDOMAIN,
  ],
  ['closest encloser: the wildcard itself can be one', 'ghost.*.wild.acme.test. MX', NXDOMAIN],
  [
    'wildcard: asked by its own name it is a name like others',
    '*.wild.acme.test. TXT',
    answer('*.wild.acme.test. 300 TXT "this is a wildcard"'),
  ],
  ['wildcard: it is not there for the parent of its names', 'wild.acme.test. TXT', NODATA],
  ['wildcard: DS of a synthesized name is NODATA', 'host3.wild.acme.test. DS', NODATA],
  [
    'wildcard: an alias is synthesized and followed',
    'x.alias.acme.test. A',
    answer('x.alias.acme.test. 300 CNAME mx.acme.test.', MX_ADDRESSES[0]!),
  ],
  [
    'wildcard: a synthesized alias to an absent name is NXDOMAIN',
    'x.to-absent.acme.test. A',
    { ...NXDOMAIN, answer: ['x.to-absent.acme.test. 300 CNAME absent.acme.test.'] },
  ],

  [
    'cname: a chain is followed to its end',
    'www.acme.test. A',
    answer(
      'www.acme.test. 300 CNAME web.acme.test.',
      'web.acme.test. 300 CNAME acme.test.',
      'acme.test. 300 A 192.0.2.1',
    ),
  ],
  [
    'cname: asked for itself it is not followed',
    'www.acme.test. CNAME',
    answer('www.acme.test. 300 CNAME web.acme.test.'),
  ],
  [
    'cname: ANY does not follow it',
    'www.acme.test. ANY',
    answer('www.acme.test. 300 CNAME web.acme.test.'),
  ],
  [
    'cname: the RCODE is that of the last name',
    'dangling.acme.test. A',
    { ...NXDOMAIN, answer: ['dangling.acme.test. 300 CNAME absent.acme.test.'] },
  ],
  [
    'cname: to a name without the type is NODATA',
    'typeless.acme.test. A',
    { ...NODATA, answer: ['typeless.acme.test. 300 CNAME ent.acme.test.'] },
  ],
  [
    'cname: out of what we serve it is left to the asker',
    'outside.acme.test. A',
    answer('outside.acme.test. 300 CNAME www.elsewhere.test.'),
  ],
  [
    'cname: a zone of someone else, served here, does not make it NXDOMAIN',
    'hosted.acme.test. A',
    answer('hosted.acme.test. 300 CNAME absent.other.test.'),
  ],
  [
    'cname: into a delegation it keeps authority over its own name',
    'down.acme.test. A',
    {
      status: 'NOERROR aa',
      answer: ['down.acme.test. 300 CNAME host.sub.acme.test.'],
      authority: SUB_NS,
      additional: GLUE,
    },
  ],
  [
    'cname: a loop is shown once',
    'loop1.acme.test. A',
    answer(
      'loop1.acme.test. 300 CNAME loop2.acme.test.',
      'loop2.acme.test. 300 CNAME loop1.acme.test.',
    ),
  ],
  [
    'cname: so is a name that is an alias of itself',
    'self.acme.test. A',
    answer('self.acme.test. 300 CNAME self.acme.test.'),
  ],
  [
    'cname: a long chain ends after eight',
    'chain0.acme.test. A',
    answer(
      ...Array.from(
        { length: 8 },
        (_, i) => `chain${i}.acme.test. 300 CNAME chain${i + 1}.acme.test.`,
      ),
    ),
  ],

  ['delegation: a name below the cut is referred', 'x.y.sub.acme.test. A', REFERRAL],
  ['delegation: so is the cut itself', 'sub.acme.test. NS', REFERRAL],
  ['delegation: what lies below the cut is occluded', 'occluded.sub.acme.test. TXT', REFERRAL],
  ['delegation: ANY is referred too', 'sub.acme.test. ANY', REFERRAL],
  ['delegation: so is a DS below the cut', 'x.sub.acme.test. DS', REFERRAL],
  ['glue: an address under the cut is not an answer', 'ns.sub.acme.test. A', REFERRAL],
  [
    'glue: addresses of siblings and of our own hosts come along',
    'sibling.acme.test. A',
    {
      status: 'NOERROR',
      authority: [
        'sibling.acme.test. 300 NS ns.sub.acme.test.',
        'sibling.acme.test. 300 NS mx.acme.test.',
      ],
      additional: [...GLUE, ...MX_ADDRESSES],
    },
  ],
  [
    'glue: there is none for a nameserver elsewhere',
    'deep.ent2.acme.test. A',
    { status: 'NOERROR', authority: ['deep.ent2.acme.test. 300 NS ns.elsewhere.test.'] },
  ],
  ['ds: the parent answers at the cut', 'sub.acme.test. DS', answer(SUB_DS)],
  ['ds: a cut without one is NODATA of the parent', 'sibling.acme.test. DS', NODATA],

  ['any: one rrset is enough', 'mx.acme.test. ANY', answer(MX_ADDRESSES[0]!)],
]

for (const [sentence, question, expected] of ROWS) {
  test(sentence, () => {
    const nothing = { answer: [], authority: [], additional: [] }
    assert.deepEqual(dig(ZONES, question), { ...nothing, ...expected })
  })
}

test('ds: a referral carries it to those who asked for DNSSEC', () => {
  const { authority, additional } = dig(ZONES, 'x.sub.acme.test. A', { edns: { dnssecOk: true } })
  assert.deepEqual(authority, [...SUB_NS, SUB_DS])
  assert.deepEqual(additional, ['OPT 1232 v0 do', ...GLUE])
})

test('wildcard: one below the root zone answers for every name', () => {
  const root = { ...OTHER, apex: '.', rrsets: [rrset('*.', 'A', '192.0.2.9')] }
  assert.deepEqual(dig(zonesOf(root), 'any.name. A').answer, ['any.name. 300 A 192.0.2.9'])
})

test('negative ttl: a zone may have its own', () => {
  const zones = zonesOf({ ...OTHER, negativeTtl: 1, nsTtl: 5 })
  assert.deepEqual(dig(zones, 'x.other.test. A').authority, [
    'other.test. 1 SOA cat.pool.test hostmaster.other.test 1 14400 3600 1209600 1',
  ])
  assert.match(dig(zones, 'other.test. NS').answer[0]!, / 5 NS /)
})
