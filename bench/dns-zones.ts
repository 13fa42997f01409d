/** Zones like the product's, and queries for them; for us, and as files for NSD and PowerDNS. */
import type { RRset } from '#drivers/zone/contract.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import { seededRandom } from '../test/random.ts'

const DKIM_KEY_OCTETS = 294
const QUESTIONS = 20_000

/** As many rrsets as an active domain has: web, mail, two DKIM keys. */
export function benchZone(number: number): ServedZone {
  const apex = `zone${number}.bench.test.`
  const random = seededRandom(number + 1)
  const key = () =>
    Buffer.alloc(DKIM_KEY_OCTETS, `${random()}${random()}${random()}`).toString('base64')
  const rrset = (below: string, type: RRset['type'], data: string): RRset => ({
    name: `${below}${apex}`,
    type,
    ttl: 300,
    data: [data],
  })
  return {
    apex,
    nameservers: ['ada.ns.mailstead.test.', 'bob.ns.mailstead.test.'],
    serial: 1,
    rrsets: [
      rrset('', 'A', '192.0.2.1'),
      rrset('www.', 'A', '192.0.2.1'),
      rrset('', 'AAAA', '2001:db8::1'),
      rrset('', 'MX', `10 mx.${apex}`),
      rrset('mx.', 'A', '192.0.2.25'),
      rrset('', 'TXT', 'v=spf1 include:_spf.mx.mailstead.test ~all'),
      rrset('_dmarc.', 'TXT', `v=DMARC1; p=reject; rua=mailto:dmarc@${apex.slice(0, -1)}`),
      rrset('s1._domainkey.', 'TXT', `v=DKIM1; k=rsa; p=${key()}`),
      rrset('s2._domainkey.', 'TXT', `v=DKIM1; k=rsa; p=${key()}`),
      rrset('', 'CAA', '0 issue "ca.test"'),
      rrset('_submission._tcp.', 'SRV', `0 1 465 mx.${apex}`),
      rrset('mail.', 'CNAME', `mx.${apex}`),
    ],
  }
}

/** The input of dnsperf: typical queries of resolvers, a sixth of them for nonexistent names. */
export function questionsAbout(zones: number): string {
  const random = seededRandom(53)
  const asked = ['A', 'MX', 'NS', 'TXT', 's1._domainkey TXT', 'absent A']
  return Array.from({ length: QUESTIONS }, (_, i) => {
    const apex = `zone${Math.floor(random() * zones)}.bench.test`
    const [below, type] = asked[i % asked.length]!.split(' ') as [string, string | undefined]
    return type ? `${below}.${apex} ${type}` : `${apex} ${below}`
  }).join('\n')
}
