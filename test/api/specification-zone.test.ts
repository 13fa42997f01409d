/** The contract of the wire, on: what stands in the zone of a domain, and where its visitors are led. */
import { after } from 'node:test'
import type { Json } from '../client.ts'
import { testHouse } from '../house.ts'
import { startOutside } from '../outside.ts'
import {
  among,
  as,
  INSTANT,
  type Line,
  noDomain,
  refused,
  said,
  specifying,
  UUID,
  violation,
} from './specify.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse({
  ...outside.settings,
  MAILSTEAD_REDIRECT_LISTEN: '127.0.0.1:0',
})
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client, store } = house

const active = await client.addActive('active.test')
const { body: waiting } = await client.post('/domains', { domain: 'waiting.test' })
/** Whose new key is never seen from outside. */
const turning = await client.addActive('turning.test')
await client.misbehave('turning.test', 'records_published', 'unavailable', 100_000)
/** As if it were at a sender service that rotates keys by itself. */
const away = await client.addActive('away.test')
await store.db
  .updateTable('domains')
  .set({ sender_driver: 'elsewhere' })
  .where('id', '=', away.domain_id)
  .execute()

/** A name that has been served by another host until now, with a website and mail. */
const { cloudflare } = outside
const atHost = async (path: string, body: object) => {
  const token = `Bearer ${cloudflare.apiToken}`
  const headers = { authorization: token, 'content-type': 'application/json' }
  const sent = { method: 'POST', headers, body: JSON.stringify(body) }
  return ((await (await fetch(`${cloudflare.apiUrl}${path}`, sent)).json()) as Json).result
}
const account = { id: cloudflare.accountId }
const zone = await atHost('/zones', { account, name: 'moving.test', type: 'full' })
for (const record of [
  { type: 'A', name: 'www', content: '192.0.2.1', ttl: 600 },
  { type: 'MX', name: '@', content: 'mx.example.net', priority: 10, ttl: 300 },
])
  await atHost(`/zones/${zone.id}/dns_records`, record)
await client.delegate('moving.test', zone.name_servers)

const specify = await specifying(house, {
  active: active.domain_id,
  waiting: waiting.domain_id,
  turning: turning.domain_id,
  away: away.domain_id,
  nothing: (await house.clientOf({ scopes: [] })).key!,
})

const wrong = (field: string, type: string) => violation(['body', field], type)
const own = { record_id: UUID, priority: null, required: false, managed: false, observed: [] }

// biome-ignore format: a table
const RECORDS: readonly Line[] = [
  ["the platform's are among them",           'GET /domains/{active}/records',                 200, { ...said, records: among({ record_id: as('mx'), type: 'MX', name: 'active.test', purpose: 'mx', managed: true, required: true }) }],
  ['a record of the customer is added',       'POST /domains/{active}/records {"name":"www","type":"A","value":"192.0.2.1","ttl":600}', 201, { ...said, record: { ...own, record_id: as('www'), type: 'A', name: 'www.active.test', value: '192.0.2.1', ttl: 600 } }],
  ['its name may be written whole',           'POST /domains/{active}/records {"name":"Shop.Active.test.","type":"cname","value":"shops.example.net."}', 201, { record: { type: 'CNAME', name: 'shop.active.test', value: 'shops.example.net.', ttl: 300 } }],
  ['or be the domain itself',                 'POST /domains/{active}/records {"name":"@","type":"TXT","value":"mine=1"}', 201, { record: { name: 'active.test', value: /mine=1/ } }],
  ['it is in the list',                       'GET /domains/{active}/records',                 200, { records: among({ record_id: '{www}', managed: false }) }],
  ['and changed',                             'PUT /domains/{active}/records/{www} {"value":"192.0.2.2"}', 200, { ...said, record: { record_id: '{www}', type: 'A', name: 'www.active.test', value: '192.0.2.2' } }],
  ['there it is',                             'GET /domains/{active}/records',                 200, { records: among({ record_id: '{www}', value: '192.0.2.2' }) }],
  ['the same twice → 409',                    'POST /domains/{active}/records {"name":"www","type":"A","value":"192.0.2.2"}', 409, refused('record_exists')],
  ['an alias beside others → 409',            'POST /domains/{active}/records {"name":"www","type":"CNAME","value":"x.example.net."}', 409, refused('record_conflict')],
  ['not a record → 422',                      'POST /domains/{active}/records {"name":"a","type":"A","value":"192.0.2"}', 422, wrong('value', 'value_error.record')],
  ['nor a type there is → 422',               'POST /domains/{active}/records {"name":"a","type":"NONE","value":"x"}', 422, wrong('type', 'value_error.record')],
  ['the nameservers are not the customer’s → 422', 'POST /domains/{active}/records {"name":"@","type":"NS","value":"ns.example.net."}', 422, wrong('name', 'value_error.record')],
  ['without a value → 422',                   'POST /domains/{active}/records {"name":"a","type":"A"}', 422, wrong('value', 'value_error.missing')],
  ["the platform's cannot be changed → 409",  'PUT /domains/{active}/records/{mx} {"value":"mx.example.net."}', 409, refused('record_managed')],
  ['nor removed → 409',                       'DELETE /domains/{active}/records/{mx}',         409, refused('record_managed')],
  ['one that is not there → 404',             'PUT /domains/{active}/records/{unknown} {"value":"192.0.2.3"}', 404, refused('record_not_found')],
  ['cannot be removed → 404',                 'DELETE /domains/{active}/records/{unknown}',    404, refused('record_not_found')],
  ['not a UUID → 422',                        'DELETE /domains/{active}/records/x',            422, violation(['path', 'record_id'], 'value_error.uuid')],
  ['of an unknown domain → 404',              'GET /domains/{unknown}/records',                404, noDomain],
  ['the zone as a master file has them',      'GET /domains/{active}/zone',                    200, /^active\.test\.\s+\d+\s+IN\s+MX\s+10 mx\.mailstead\.test\.$/m, { 'content-type': /^text\/dns/ }],
  ['the zone of an unknown domain → 404',     'GET /domains/{unknown}/zone',                   404, noDomain],
  ['a record is removed',                     'DELETE /domains/{active}/records/{www}',        200, { ...said, record_id: '{www}' }],
  ['and then is not there',                   'DELETE /domains/{active}/records/{www}',        404, refused('record_not_found')],
]

// biome-ignore format: a table
const IMPORT: readonly Line[] = [
  ['a name that is served elsewhere',         'POST /domains {"domain":"moving.test"}',        201, { domain_id: as('moving') }],
  ['what was found there',                    'GET /domains/{moving}/import',                  200, { ...said, domain_id: '{moving}', domain_name: 'moving.test', state: 'incomplete', take_mail: false, records: among({ record_id: as('found'), type: 'A', name: 'www.moving.test', value: '192.0.2.1', purpose: 'imported', managed: false }) }],
  ['is among the records',                    'GET /domains/{moving}/records',                 200, { records: among({ record_id: '{found}' }) }],
  ['its mail may be taken',                   'POST /domains/{moving}/import {"take_mail":true}', 200, { ...said, take_mail: true, records: among({ record_id: '{found}' }) }],
  ['and parts of it dropped',                 'POST /domains/{moving}/import {"drop":["{found}"]}', 200, said],
  ['which then are gone',                     'DELETE /domains/{moving}/records/{found}',      404, refused('record_not_found')],
  ['nothing was found of a new name',         'GET /domains/{waiting}/import',                 200, { records: [] }],
  ['neither true nor false → 422',            'POST /domains/{waiting}/import {"take_mail":"yes"}', 422, wrong('take_mail', 'type_error.bool')],
  ['a zone file adds its records',            'POST /domains/{waiting}/import {"zone_file":"www 300 IN A 192.0.2.1"}', 200, { ...said, state: 'done', file: { added: 1, present: 0, left_out: [] } }],
  ['with a line that is none → 422',          'POST /domains/{waiting}/import {"zone_file":"www 300 IN A 192.0.2"}', 422, violation(['body', 'zone_file', 1], 'value_error.zone_file')],
  ['of an unknown domain → 404',              'GET /domains/{unknown}/import',                 404, noDomain],
  ['nor can it be decided on → 404',          'POST /domains/{unknown}/import {}',             404, noDomain],
]

const selectors = [
  { selector: /./, state: 'signing' },
  { selector: /./, state: 'pending' },
]

// biome-ignore format: a table
const DKIM: readonly Line[] = [
  ['a new key is on its way',                 'POST /domains/{turning}/dkim/rotate {"compromised":false}', 202, { ...said, domain_id: '{turning}', domain_name: 'turning.test', state: 'rotating', selectors }],
  ['one after the other → 409',               'POST /domains/{turning}/dkim/rotate',            409, refused('rotation_in_progress')],
  ['not before the domain is active → 409',   'POST /domains/{waiting}/dkim/rotate',           409, refused('domain_not_active', { domain_status: 'DNS_PENDING' })],
  ['nor where a provider does it → 409',      'POST /domains/{away}/dkim/rotate',              409, refused('not_rotatable', { provider: 'elsewhere' })],
  ['neither true nor false → 422',            'POST /domains/{turning}/dkim/rotate {"compromised":"yes"}', 422, wrong('compromised', 'type_error.bool')],
  ['of an unknown domain → 404',              'POST /domains/{unknown}/dkim/rotate',           404, noDomain],
]

const to = (fields: string) =>
  `POST /domains/{active}/redirect {"target_domain":"yourcompany.com"${fields}}`
const leads = {
  redirect_id: as('redirect'),
  source_domain: 'active.test',
  target_domain: 'yourcompany.com',
  status_code: 301,
  preserve_path: true,
  preserve_query_string: true,
  is_active: true,
  setup_completed: true,
  created_at: as('since', INSTANT),
  success: undefined,
}

// biome-ignore format: a table
const REDIRECT: readonly Line[] = [
  ['there is none → 404',                     'GET /domains/{active}/redirect',                404, refused('redirect_not_found')],
  ['nor one to delete → 404',                 'DELETE /domains/{active}/redirect',             404, refused('redirect_not_found')],
  ['one is made, with what is usual',         to(''),                                          200, leads],
  ['and read again, with no envelope',        'GET /domains/{active}/redirect',                200, { redirect_id: '{redirect}', target_domain: 'yourcompany.com', created_at: '{since}', success: undefined }],
  ['made again, it is changed',               'POST /domains/{active}/redirect {"target_domain":"Other.Example.","status_code":302,"preserve_path":false,"preserve_query_string":false}', 200, { redirect_id: '{redirect}', target_domain: 'other.example', status_code: 302, preserve_path: false, preserve_query_string: false, created_at: '{since}' }],
  ['307 is possible',                         to(',"status_code":307'),                        200, { status_code: 307 }],
  ['308 too',                                 to(',"status_code":308'),                        200, { status_code: 308 }],
  ['303 is not → 422',                        to(',"status_code":303'),                        422, wrong('status_code', 'type_error.enum')],
  ['to itself → 422',                         'POST /domains/{active}/redirect {"target_domain":"Active.test."}', 422, wrong('target_domain', 'value_error.redirect_loop')],
  ['to no host name → 422',                   'POST /domains/{active}/redirect {"target_domain":"https://a.example"}', 422, wrong('target_domain', 'value_error.domain')],
  ['to nowhere → 422',                        'POST /domains/{active}/redirect {}',            422, wrong('target_domain', 'value_error.missing')],
  ['neither true nor false → 422',            to(',"preserve_path":1'),                        422, wrong('preserve_path', 'type_error.bool')],
  ['a domain that is not active → 409',       'POST /domains/{waiting}/redirect {"target_domain":"yourcompany.com"}', 409, refused('domain_not_active', { domain_status: 'DNS_PENDING' })],
  ['which has none → 404',                    'GET /domains/{waiting}/redirect',               404, refused('redirect_not_found')],
  ['an unknown domain → 404',                 'GET /domains/{unknown}/redirect',               404, noDomain],
  ['cannot be redirected → 404',              'POST /domains/{unknown}/redirect {"target_domain":"yourcompany.com"}', 404, noDomain],
  ['its records are those of the domain',     'GET /domains/{active}',                         200, { dns_records: among({ type: 'A', name: 'active.test', purpose: 'redirect' }) }],
  ['it is deleted',                           'DELETE /domains/{active}/redirect',             200, said],
  ['once',                                    'DELETE /domains/{active}/redirect',             404, refused('redirect_not_found')],
  ['and gone',                                'GET /domains/{active}/redirect',                404, refused('redirect_not_found')],
]

// biome-ignore format: a table
const SCOPES: readonly (readonly [asked: string, scope: string])[] = [
  ['GET /domains/{active}/zone',                 'domains:read'],
  ['GET /domains/{active}/records',              'domains:read'],
  ['POST /domains/{active}/records',             'domains:update'],
  ['PUT /domains/{active}/records/{mx}',         'domains:update'],
  ['DELETE /domains/{active}/records/{mx}',      'domains:update'],
  ['GET /domains/{active}/import',               'domains:read'],
  ['POST /domains/{active}/import',              'domains:update'],
  ['POST /domains/{active}/dkim/rotate',         'domains:update'],
  ['GET /domains/{active}/redirect',             'domains:read'],
  ['POST /domains/{active}/redirect',            'domains:update'],
  ['DELETE /domains/{active}/redirect',          'domains:update'],
]

specify('records', RECORDS)
specify('import', IMPORT)
specify('dkim', DKIM)
specify('redirect', REDIRECT)
specify(
  'scopes',
  SCOPES.map(
    ([asked, scope]): Line => [
      `${scope} is needed`,
      `${asked} [x-api-key: {nothing}]`,
      403,
      refused('insufficient_scopes', { required: [scope], granted: [] }),
    ],
  ),
)
