/** The contract of the wire, on: adding domains, and what is shown of them. */
import { after } from 'node:test'
import { testHouse } from '../house.ts'
import {
  among,
  as,
  INSTANT,
  type Line,
  refused,
  SENTENCE,
  said,
  specifying,
  UUID,
  violation,
} from './specify.ts'

const house = await testHouse()
const impatient = await testHouse({ MAILSTEAD_WAIT_MS: '1500' })
after(() => Promise.all([house, impatient].map((each) => each[Symbol.asyncDispose]())))
const { client } = house

const active = await client.addActive('active.test')
const { body: waiting } = await client.post('/domains', { domain: 'waiting.test' })
await client.untilDomain(waiting.domain_id, ({ delegation }) => delegation !== null)
await impatient.client.misbehave('slow-host.test', 'zone_ready', 'unavailable', 100_000)

const specify = await specifying(house, {
  active: active.domain_id,
  waiting: waiting.domain_id,
  ada: waiting.nameservers[0],
  kit: waiting.nameservers[1],
  nothing: (await house.clientOf({ scopes: [] })).key!,
})

const NAMESERVER = /^[a-z0-9-]+\.ns\.mailstead\.test$/
const badName = (type = 'value_error.domain') => violation(['body', 'domain'], type)

// biome-ignore format: a table
const ADDING: readonly Line[] = [
  ['a new domain has its nameservers',        'POST /domains {"domain":"mail.yourcompany.test"}', 201, { ...said, domain_id: as('mail'), domain_name: 'mail.yourcompany.test', status: 'DNS_PENDING', nameservers: [NAMESERVER, NAMESERVER], max_inboxes: 50, current_inboxes: 0, created_at: INSTANT, progress_url: /^\/api\/public\/v1\/domains\/[0-9a-f-]{36}\/progress$/ }],
  ['its name is lower-cased',                 'POST /domains {"domain":"UPPER.Test"}',         201, { domain_name: 'upper.test' }],
  ['one dot at its end is dropped',           'POST /domains {"domain":"dotted.test."}',       201, { domain_name: 'dotted.test' }],
  ['and no more than one',                    'POST /domains {"domain":"dots.test.."}',        422, badName()],
  ['an IDN becomes A-labels',                 'POST /domains {"domain":"müller.test"}',        201, { domain_name: 'xn--mller-kva.test' }],
  ['non-transitional, so that ß stays',       'POST /domains {"domain":"straße.test"}',        201, { domain_name: 'xn--strae-oqa.test' }],
  ['not a host name → 422',                   'POST /domains {"domain":"a b.test"}',           422, badName()],
  ['nor is a single label',                   'POST /domains {"domain":"acme"}',               422, badName()],
  ['nor an IPv4 address',                     'POST /domains {"domain":"192.0.2.1"}',          422, badName()],
  ['nor an IPv6 address',                     'POST /domains {"domain":"2001:db8::1"}',        422, badName()],
  ['a label may have 63 octets',              `POST /domains {"domain":"${'a'.repeat(63)}.test"}`, 201, { domain_name: `${'a'.repeat(63)}.test` }],
  ['and not 64',                              `POST /domains {"domain":"${'a'.repeat(64)}.test"}`, 422, badName()],
  ['nor a name of 254 octets',                `POST /domains {"domain":"${'a.'.repeat(125)}test"}`, 422, badName('value_error.any_str.max_length')],
  ['nor a public suffix',                     'POST /domains {"domain":"co.uk"}',              422, badName()],
  ['nor localhost',                           'POST /domains {"domain":"www.localhost"}',      422, badName()],
  ['nor .arpa',                               'POST /domains {"domain":"2.0.192.in-addr.arpa"}', 422, badName()],
  ['nor .invalid',                            'POST /domains {"domain":"acme.invalid"}',       422, badName()],
  ['nor .onion',                              'POST /domains {"domain":"acme.onion"}',         422, badName()],
  ['nor .local',                              'POST /domains {"domain":"acme.local"}',         422, badName()],
  ["nor a name of the platform's own",        'POST /domains {"domain":"ns.mailstead.test"}',  422, badName()],
  ['nor one below it',                        'POST /domains {"domain":"x.ns.mailstead.test"}', 422, badName()],
  ['nor one above it',                        'POST /domains {"domain":"mailstead.test"}',     422, badName()],
  ['one that the workspace has → 409',        'POST /domains {"domain":"WAITING.test."}',      409, refused('domain_exists', { domain_id: '{waiting}' })],
  ['it may be placed at accounts',            'POST /domains {"domain":"placed.test","providers":{"dns":"embedded","sender":"embedded","mailbox":"embedded"}}', 201, { domain_id: as('placed') }],
  ['which it then shows',                     'GET /domains/{placed}',                         200, { providers: { dns: 'embedded', sender: 'embedded', mailbox: 'embedded' } }],
  ['of those there are',                      'POST /domains {"domain":"b.test","providers":{"sender":"nobody"}}', 422, violation(['body', 'providers', 'sender'], 'value_error.account')],
  ['mail elsewhere may be taken',             'POST /domains {"domain":"taking.test","take_mail":true}', 201, { domain_id: as('taking') }],
  ['as one can see',                          'GET /domains/{taking}/import',                  200, { take_mail: true }],
  ['it is left alone by default',             'GET /domains/{waiting}/import',                 200, { take_mail: false }],
  ['nothing need be imported',                'POST /domains {"domain":"bare.test","import_records":false}', 201, { domain_id: as('bare') }],
  ['as one can see',                          'GET /domains/{bare}/import',                    200, { state: 'none', records: [] }],
]

const record = {
  record_id: UUID,
  ttl: /^\d+$/,
  required: true,
  managed: true,
  status: 'published',
  message: /^/,
  checked_at: INSTANT,
}
const server = {
  name: /./,
  address: /./,
  transport: /^(udp|tcp)$/,
  outcome: 'delegated',
  nameservers: [NAMESERVER, NAMESERVER],
  authoritative: /^(true|false)$/,
  ttl: /^\d+$/,
  ms: /^\d/,
}
const met = (type: string) => ({ type, status: 'met', waiting_for: null, since: INSTANT })
const delegated = {
  verdict: 'delegated',
  expected: [NAMESERVER, NAMESERVER],
  observed: [NAMESERVER, NAMESERVER],
  checked_at: INSTANT,
  next_check_at: INSTANT,
  message: SENTENCE,
  servers: [server],
}

// biome-ignore format: a table
const LOOKING: readonly Line[] = [
  // GET /domains
  ['an item of the list',                     'GET /domains?status=ACTIVE',                    200, { ...said, domains: among({ domain_id: '{active}', domain_name: 'active.test', status: 'ACTIVE', mailcow_added: true, cloudflare_verified: true, max_inboxes: 50, current_inboxes: 0, created_at: INSTANT }), pagination: { total: 1 } }],
  ['one that waits',                          'GET /domains?search=waiting',                   200, { domains: [{ status: 'DNS_PENDING', mailcow_added: false, cloudflare_verified: false }] }],
  ['an unknown status matches nothing',       'GET /domains?status=SLEEPING',                  200, { domains: [], pagination: { total: 0 } }],
  ['a part of the name may be searched for',  'GET /domains?search=yourcomp',                  200, { domains: [{ domain_name: 'mail.yourcompany.test' }], pagination: { total: 1 } }],
  ['however it is written',                   'GET /domains?search=YOURComp',                  200, { domains: [{ domain_name: 'mail.yourcompany.test' }] }],
  ['and what was found read on',              'GET /domains?search=ed.test&limit=1',           200, { domains: [{ domain_name: 'placed.test' }], pagination: { next_cursor: as('cursor') } }],
  ['by its cursor',                           'GET /domains?search=ed.test&limit=1&cursor={cursor}', 200, { domains: [{ domain_name: 'dotted.test' }] }],
  // GET /domains/{domain_id}
  ['all of an active domain',                 'GET /domains/{active}',                         200, { ...said, domain_id: '{active}', domain_name: 'active.test', status: 'ACTIVE', mailcow_added: true, cloudflare_verified: true, nameservers: [NAMESERVER, NAMESERVER], inbox_capacity: { max: 50, current: 0, available: 50 }, created_at: INSTANT, activated_at: INSTANT, failure: null, sending: { allowed: true, reason: null }, providers: { dns: 'embedded', sender: 'embedded', mailbox: 'embedded' } }],
  ['its delegation',                          'GET /domains/{active}',                         200, { delegation: delegated }],
  ['its conditions',                          'GET /domains/{active}',                         200, { conditions: ['zone_ready', 'delegated', 'sender_registered', 'mail_domain_ready', 'records_published', 'sender_verified', 'mail_proven'].map(met) }],
  ['its MX',                                  'GET /domains/{active}',                         200, { dns_records: among({ ...record, type: 'MX', name: 'active.test', value: 'mx.mailstead.test.', priority: 10, purpose: 'mx', observed: [/./] }) }],
  ['its SPF',                                 'GET /domains/{active}',                         200, { dns_records: among({ ...record, type: 'TXT', name: 'active.test', value: /^v=spf1 /, priority: null, purpose: 'spf' }) }],
  ['its DKIM, as one text however long',      'GET /domains/{active}',                         200, { dns_records: among({ ...record, type: 'TXT', name: /\._domainkey\.active\.test$/, value: /^v=DKIM1;[^"]{250,}$/, purpose: 'dkim' }) }],
  ['its DMARC',                               'GET /domains/{active}',                         200, { dns_records: among({ ...record, type: 'TXT', name: '_dmarc.active.test', value: /^v=DMARC1;/, purpose: 'dmarc' }) }],
  ['a domain that waits',                     'GET /domains/{waiting}',                        200, { status: 'DNS_PENDING', nameservers: ['{ada}', '{kit}'], activated_at: null, delegation: { verdict: 'not_published', observed: [], message: SENTENCE }, conditions: [met('zone_ready'), { type: 'delegated', status: 'waiting', reason: 'not_published', message: SENTENCE, waiting_for: 'customer', since: INSTANT, checked_at: INSTANT, next_check_at: INSTANT }], sending: { allowed: false, reason: 'domain_not_active' } }],
]

// biome-ignore format: a table
const EARLY: readonly Line[] = [
  ['the answer has the pair before the zone', 'POST /domains {"domain":"slow-host.test"}',     201, { ...said, domain_id: as('early'), status: /^(PENDING|DNS_CONFIGURING)$/, nameservers: [NAMESERVER, NAMESERVER] }],
  ['which is not delegated',                  'GET /domains/{early}',                          200, { status: /^(PENDING|DNS_CONFIGURING)$/, delegation: null, failure: null }],
  ['and cannot be activated → 409',           'POST /domains/{early}/activate',                409, refused('domain_not_ready')],
  ['its progress',                            'GET /domains/{early}/progress',                 200, { status: /^(PENDING|IN_PROGRESS)$/, is_complete: false, status_message: SENTENCE }],
]

// biome-ignore format: a table
const SCOPES: readonly (readonly [asked: string, scope: string])[] = [
  ['POST /domains',                              'domains:create'],
  ['GET /domains',                               'domains:read'],
  ['GET /domains/{active}',                      'domains:read'],
]

specify(
  'scopes',
  SCOPES.map(([asked, scope]) => [
    `${scope} is needed`,
    `${asked} [x-api-key: {nothing}]`,
    403,
    refused('insufficient_scopes', { required: [scope], granted: [] }),
  ]),
)
specify('adding', ADDING)
specify('looking', LOOKING)
;(await specifying(impatient))('a slow zone host', EARLY)
