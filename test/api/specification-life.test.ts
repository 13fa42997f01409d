/** The contract of the wire, on: how a domain becomes active, how one sees it, and how it goes. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { FIRST_WORKSPACE } from '#store/api-keys.ts'
import { newId } from '../../src/ids.ts'
import type { Json } from '../client.ts'
import { testHouse } from '../house.ts'
import {
  among,
  as,
  INSTANT,
  type Line,
  noDomain,
  refused,
  SENTENCE,
  said,
  specifying,
} from './specify.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const FOREVER = 100_000
/** The service that is to do a stage does not answer. */
const stuck = (domain: string, stage: string) =>
  client.misbehave(domain, stage, 'unavailable', FOREVER)
const add = async (domain: string, more = {}) => {
  const { body } = await client.post('/domains', { domain, ...more })
  await client.delegate(domain, body.nameservers)
  return body.domain_id as string
}

const active = await client.addActive('active.test')
const { body: waiting } = await client.post('/domains', { domain: 'waiting.test' })
await client.untilDomain(waiting.domain_id, ({ delegation }) => delegation !== null)

const patient = await add('patient.test', { auto_activate: false })
await client.untilDomain(patient, ({ delegation }) => delegation?.verdict === 'delegated')

await stuck('busy.test', 'sender_registered')
const busy = await add('busy.test')
await client.untilDomain(busy, ({ status }) => status === 'SERVICES_CONFIGURING')

await client.misbehave('failed.test', 'sender_registered', 'rejected', 1000)
const failed = await add('failed.test')
await client.untilDomain(failed, ({ status }) => status === 'FAILED')
await client.sandbox('DELETE', '/outcomes/failed.test')

const used = await client.addActive('used.test')
const wish = { domain_id: used.domain_id, email_prefix: 'kim', display_name: 'Kim' }
const { body: inbox } = await client.post('/sender-accounts/coldsend-native', wish)
const mail = { from: 'lead@inbox.test', to: 'kim@used.test', subject: 'Hello', text: 'Hi' }
assert.equal((await client.sandbox('POST', '/mail', mail)).status, 202)
const campaign = { id: newId(), name: 'Spring', status: 'ACTIVE' }
const owner = { workspace_id: FIRST_WORKSPACE, world: 'sandbox' as const }
await store.db
  .insertInto('campaigns')
  .values({ ...campaign, ...owner })
  .execute()
const uses = { campaign_id: campaign.id, inbox_id: inbox.inbox_id }
await store.db.insertInto('campaign_inboxes').values(uses).execute()

const held = await client.addActive('held.test')
await stuck('held.test', 'sender_registered')
await client.delete(`/domains/${held.domain_id}`)

const specify = await specifying(house, {
  active: active.domain_id,
  waiting: waiting.domain_id,
  patient,
  busy,
  failed,
  used: used.domain_id,
  inbox: inbox.inbox_id,
  held: held.domain_id,
  nothing: (await house.clientOf({ scopes: [] })).key!,
})

const progressOf = (id: string) => `/api/public/v1/domains/${id}/progress`

// biome-ignore format: a table
const LOOKING: readonly Line[] = [
  // GET /domains/{domain_id}
  ['one that has an inbox',                   'GET /domains?search=used',                      200, { domains: [{ domain_name: 'used.test', current_inboxes: 1 }] }],
  ['one that failed',                         'GET /domains/{failed}',                         200, { status: 'FAILED', failure: { stage: 'sender_registered', reason: 'rejected', message: SENTENCE, retryable: true, failed_at: INSTANT }, conditions: among({ type: 'sender_registered', status: 'failed' }) }],
  ['one that waits for a word',               'GET /domains/{patient}',                        200, { status: 'DNS_PENDING', cloudflare_verified: true, delegation: { verdict: 'delegated' }, conditions: among({ type: 'delegated', status: 'waiting', reason: 'awaiting_activation', waiting_for: 'customer' }) }],
  // GET /domains/{domain_id}/progress
  ['the progress of one that waits',          'GET /domains/{waiting}/progress',               200, { ...said, domain_id: '{waiting}', domain_name: 'waiting.test', status: 'IN_PROGRESS', progress_percentage: /^\d\d$/, is_complete: false, is_failed: false, status_message: 'Waiting for your registrar to publish the nameservers.' }],
  ['of one that is set up',                   'GET /domains/{busy}/progress',                  200, { status: 'IN_PROGRESS', is_complete: false, is_failed: false, status_message: SENTENCE }],
  ['of one that is ready',                    'GET /domains/{active}/progress',                200, { status: 'COMPLETED', progress_percentage: 100, is_complete: true, is_failed: false, status_message: SENTENCE }],
  ['of one that failed',                      'GET /domains/{failed}/progress',                200, { status: 'FAILED', is_complete: false, is_failed: true, status_message: /^[A-Z](?!.*sender_registered)/ }],
  // GET /domains/{domain_id}/events
  ['what happened, the latest first',         'GET /domains/{active}/events?limit=1',          200, { events: [{ event_id: as('latest'), type: /^domain\./, at: INSTANT, stage: /^/, message: /^active\.test is active\.$/, data: {} }], next_cursor: as('next') }],
  ['and before that',                         'GET /domains/{active}/events?limit=100&cursor={next}', 200, { events: among({ type: 'domain.created' }), next_cursor: null }],
  ['of an unknown domain → 404',              'GET /domains/{unknown}/events',                 404, noDomain],
  // POST /domains/{domain_id}/check
  ['looking again',                           'POST /domains/{active}/check',                  200, { ...said, domain_id: '{active}', status: 'ACTIVE', dns_records: [{}], conditions: [{}] }],
  ['an unchanged world is no event',          'GET /domains/{active}/events?limit=1',          200, { events: [{ event_id: '{latest}' }] }],
  ['its progress says what it waits for',     'GET /domains/{patient}/progress',               200, { status: 'IN_PROGRESS', status_message: /wait for your word/ }],
  ['it starts nothing',                       'POST /domains/{patient}/check',                 200, { status: 'DNS_PENDING', delegation: { verdict: 'delegated' } }],
]

// biome-ignore format: a table
const ACTIVATING: readonly Line[] = [
  ['not delegated yet is no fault',           'POST /domains/{waiting}/activate',              200, { ...said, domain_id: '{waiting}', status: 'DNS_PENDING', dns_verified: false, progress_url: progressOf('{waiting}'), estimated_completion: null, delegation: { verdict: 'not_published', servers: [{ name: /./, address: /./ }] } }],
  ['a word lets the services start',          'POST /domains/{patient}/activate',              200, { ...said, status: /^(SERVICES_CONFIGURING|ACTIVE)$/, dns_verified: true }],
  ['while they start it changes nothing',     'POST /domains/{busy}/activate',                 200, { ...said, domain_id: '{busy}', domain_name: 'busy.test', status: 'SERVICES_CONFIGURING', dns_verified: true, progress_url: progressOf('{busy}'), estimated_completion: INSTANT }],
  ['nor on an active domain',                 'POST /domains/{active}/activate',               200, { ...said, domain_id: '{active}', domain_name: 'active.test', status: 'ACTIVE', dns_verified: true, progress_url: progressOf('{active}') }],
  ['retry is the same',                       'POST /domains/{active}/retry',                  200, { ...said, status: 'ACTIVE', dns_verified: true }],
  ['what failed is tried again',              'POST /domains/{failed}/retry',                  200, { ...said, status: /^(SERVICES_CONFIGURING|ACTIVE)$/, dns_verified: true }],
  ['and has failed no more',                  'GET /domains/{failed}',                         200, { failure: null }],
  ['an unknown domain → 404',                 'POST /domains/{unknown}/activate',              404, noDomain],
  ['nor can it be tried again',               'POST /domains/{unknown}/retry',                 404, noDomain],
]

// biome-ignore format: a table
const DELETING: readonly Line[] = [
  ['no removal was asked for',                'GET /domains/{waiting}/removal',                404, refused('removal_not_found')],
  ['a rehearsal removes nothing',             'DELETE /domains/{used}?dry_run=true',           200, { ...said, domain_id: '{used}', domain_name: 'used.test', deleted: false, blockers: [{ type: 'campaign', id: campaign.id, name: 'Spring', status: 'ACTIVE' }], would_remove: among({ what: 'inbox', provider: 'embedded', count: 1 }) }],
  ['it has an inbox',                         'GET /sender-accounts',                          200, { sender_accounts: [{ inbox_id: '{inbox}', email_address: 'kim@used.test', domain_id: '{used}' }] }],
  ['and gets another',                        'POST /sender-accounts/coldsend-native {"domain_id":"{used}","email_prefix":"ann","display_name":"Ann"}', 201, { ...said, email_address: 'ann@used.test' }],
  ['an active campaign uses it → 409',        'DELETE /domains/{used}',                        409, refused('domain_in_use', { blockers: [{ type: 'campaign', id: campaign.id, name: 'Spring', status: 'ACTIVE' }] })],
  ['nothing has changed',                     'GET /domains/{used}',                           200, { status: 'ACTIVE', sending: { allowed: true } }],
]

// biome-ignore format: a table
const DELETED: readonly Line[] = [
  ['one that is being torn down → 409',       'POST /domains {"domain":"held.test"}',          409, refused('domain_being_removed', { domain_id: '{held}' })],
  ['a removal is answered at once',           'DELETE /domains/{used}',                        200, { ...said, domain_id: '{used}', domain_name: 'used.test', deleted: true }],
  ['it is gone for everyone',                 'GET /domains/{used}',                           404, noDomain],
  ['and out of the list',                     'GET /domains?search=used.test',                 200, { domains: [] }],
  ['so are its inboxes',                      'GET /sender-accounts?search=used.test',         200, { sender_accounts: [] }],
  ['which send nothing more',                 'POST /sender-accounts/{inbox}/test-email {"recipient_email":"lead@inbox.test"}', 404, refused('sender_account_not_found')],
  ['removing it again → 404',                 'DELETE /domains/{used}',                        404, noDomain],
  ['what becomes of it can be read',          'GET /domains/{used}/removal',                   200, { domain_id: '{used}', domain_name: 'used.test', state: /^(removing|tombstone)$/, started_at: INSTANT, finished_at: null, steps: among({ what: 'mail_domain_ready', provider: 'embedded', state: /./, message: /^/ }) }],
  ['conversations stay',                      'GET /replies',                                  200, { conversations: [{ inbox_id: '{inbox}', lead_email: 'lead@inbox.test' }], total_count: 1 }],
  ['one that a provider holds up',            'GET /domains/{held}/removal',                   200, { domain_name: 'held.test', state: 'removing', finished_at: null, steps: among({ what: 'sender_registered', state: 'waiting' }) }],
  ['one that waited is gone as well',         'DELETE /domains/{waiting}',                     200, { ...said, deleted: true }],
]

// biome-ignore format: a table
const SCOPES: readonly (readonly [asked: string, scope: string])[] = [
  ['POST /domains/{active}/activate',            'domains:update'],
  ['POST /domains/{active}/retry',               'domains:update'],
  ['GET /domains/{active}/progress',             'domains:read'],
  ['GET /domains/{active}/events',               'domains:read'],
  ['POST /domains/{active}/check',               'domains:read'],
  ['DELETE /domains/{active}',                   'domains:delete'],
  ['DELETE /domains/{active}?dry_run=true',      'domains:delete'],
  ['GET /domains/{active}/removal',              'domains:read'],
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
specify('looking', LOOKING)

/** The events of a progress as a stream, read until it ends. */
async function streamOf(id: string): Promise<Json[]> {
  const headers = { 'x-api-key': client.key!, accept: 'text/event-stream' }
  const stream = await fetch(`${client.base}${progressOf(id)}`, { headers })
  assert.match(stream.headers.get('content-type')!, /^text\/event-stream/)
  const blocks = (await stream.text()).split('\n\n').filter((block) => block && block[0] !== ':')
  return blocks.map((block) => JSON.parse(/^event: progress\ndata: (.+)$/.exec(block)![1]!))
}

test('progress as text/event-stream tells each change, and ends when the domain is active', async () => {
  const { body: added } = await client.post('/domains', { domain: 'stream.test' })
  const streaming = streamOf(added.domain_id)
  await client.delegate('stream.test', added.nameservers)
  const told = await streaming
  assert.ok(told.length > 1)
  assert.equal(told[0].status, 'IN_PROGRESS')
  assert.equal(told.at(-1).status, 'COMPLETED')
  const { body: last } = await client.get(`/domains/${added.domain_id}/progress`)
  assert.deepEqual(told.at(-1), last, 'the body is that of the answer in JSON')
})

test('progress as text/event-stream ends when the domain has failed', async () => {
  const told = await streamOf(failed)
  assert.deepEqual(
    told.map(({ status }) => status),
    ['FAILED'],
  )
})

specify('activating', ACTIVATING)
specify('deleting', DELETING)

test('deleting: the campaign ends', async () => {
  await store.db.updateTable('campaigns').set({ status: 'PAUSED' }).execute()
})

specify('deleted', DELETED)

test('deleted: once all is done it can be read for 30 days', async () => {
  const { domain_id: id } = waiting
  const done = await client.untilRemoval(id, 'done')
  assert.match(done.finished_at, INSTANT)
  const passed = (days: number) =>
    store.db
      .updateTable('domains')
      .set({ removed_at: new Date(Date.now() - days * 86_400_000) })
      .where('id', '=', id)
      .execute()
  await passed(29.9)
  assert.equal((await client.get(`/domains/${id}/removal`)).status, 200)
  await passed(30.1)
  assert.equal((await client.get(`/domains/${id}/removal`)).status, 404)
})
