/** The accounts file: what is refused at the start, in sentences that quote no secret. */
import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { temporaryDirectory } from './directories.ts'
import { testHouse } from './house.ts'

const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
let count = 0

async function written(content: unknown, mode = 0o600): Promise<string> {
  const path = join(directory.path, `accounts-${++count}.json`)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  await chmod(path, mode)
  return path
}

const KEY = 'canary-key-that-nobody-may-see'
const mailcow = { driver: 'mailcow', url: 'https://mail.example.net', api_key: KEY }
const cloudflare = { driver: 'cloudflare', account_id: 'a', api_token: KEY }
const powerdns = {
  driver: 'powerdns',
  url: 'https://dns.example.net',
  api_key: KEY,
  nameserver_zone: 'ns.example.net',
  nameserver_addresses: ['192.0.2.1'],
}

// biome-ignore format: a table
const REFUSED: [what: string, content: unknown, said: RegExp, settings?: Record<string, string>][] = [
  ['what is no JSON',                  `{"a": "${KEY}`,                                    /the file is not JSON/],
  ['a list',                           [],                                                 /MAILSTEAD_ACCOUNTS/],
  ['an account without a driver',      { a: { api_key: KEY } },                            /a: driver:/],
  ['a driver there is none of',        { a: { driver: 'route53', api_key: KEY } },         /there is no driver route53; there are powerdns, cloudflare, azure, mailcow/],
  ['a field that is missing',          { a: { driver: 'mailcow', url: mailcow.url } },     /a: api_key:/],
  ['a field nobody knows',             { a: { ...mailcow, api_kee: KEY } },                /api_kee/],
  ['an http URL far away',             { a: { ...mailcow, url: 'http://mail.example.net' } }, /a: url: must be an https URL/],
  ['a key with a line break',          { a: { ...mailcow, api_key: `${KEY}\n` } },        /a: api_key: must be visible ASCII characters/],
  ['a key with a space',               { a: { ...powerdns, api_key: ` ${KEY}` } },        /a: api_key: must be visible ASCII characters/],
  ['a token with a control character', { a: { ...cloudflare, api_token: `${KEY}\u0000` } }, /a: api_token: must be visible ASCII characters/],
  ['a secret that is not ASCII',       { a: azure({ client_secret: `${KEY}\u2011` }) },  /a: client_secret: must be visible ASCII characters/],
  ['an empty key',                     { a: { ...mailcow, api_key: '' } },                /a: api_key:/],
  ['credentials in a URL',             { a: { ...mailcow, url: `https://u:${KEY}@mail.example.net` } }, /a: url:/],
  ['a world there is none of',         { a: { ...mailcow, world: 'moon' } },               /a: world:/],
  ['a name with capitals',             { Mail: mailcow },                                  /Mail: an account is named with small letters/],
  ['the name of our own',              { embedded: mailcow },                              /embedded: an account is named/],
  ['a sandbox account far away',       { a: { ...mailcow, world: 'sandbox' } },            /needs the URL of an emulator on loopback/],
  ['a sandbox Azure at its real address', { a: azure({ world: 'sandbox' }) },              /needs the URL of an emulator on loopback/],
  ['a nameserver address that is none', { a: { ...powerdns, nameserver_addresses: ['ns1'] } }, /nameserver_addresses/],
  ['a default that is no account',     { a: mailcow },                                     /there is no sender account azure-9/, { MAILSTEAD_SENDER_DRIVER: 'azure-9' }],
  ['a default of another kind',        { a: mailcow },                                     /there is no zone host account a/, { MAILSTEAD_ZONE_DRIVER: 'a' }],
]

function azure(more: object) {
  return {
    driver: 'azure',
    tenant_id: 't',
    client_id: 'c',
    client_secret: KEY,
    subscription: 's',
    resource_group: 'g',
    email_service: 'e',
    communication_service: 'c',
    data_location: 'Europe',
    ...more,
  }
}

for (const [what, content, said, settings] of REFUSED) {
  test(`refused at the start: ${what}`, async () => {
    const MAILSTEAD_ACCOUNTS = await written(content)
    await assert.rejects(testHouse({ MAILSTEAD_ACCOUNTS, ...settings }), (error: Error) => {
      assert.equal(error.name, 'ConfigError')
      assert.match(error.message, said)
      assert.ok(!error.message.includes(KEY), 'the secret is not quoted')
      return true
    })
  })
}

test('refused at the start: a file that others may read', async () => {
  for (const mode of [0o644, 0o640, 0o604]) {
    const MAILSTEAD_ACCOUNTS = await written({}, mode)
    await assert.rejects(testHouse({ MAILSTEAD_ACCOUNTS }), /let only its owner read it/)
  }
})

test('refused at the start: a file that is not there', async () => {
  const MAILSTEAD_ACCOUNTS = join(directory.path, 'nowhere.json')
  await assert.rejects(testHouse({ MAILSTEAD_ACCOUNTS }), {
    name: 'ConfigError',
    message: /cannot be read/,
  })
})

test('accounts are opened without being called: a house starts while its services are away', async () => {
  const MAILSTEAD_ACCOUNTS = await written({ mail: mailcow, dns: powerdns, west: azure({}) })
  await using house = await testHouse({ MAILSTEAD_ACCOUNTS })
  assert.equal((await house.client.get('/domains')).status, 200)
})

test('a live account is not offered to a test key', async () => {
  const MAILSTEAD_ACCOUNTS = await written({ mail: mailcow })
  await using house = await testHouse({ MAILSTEAD_ACCOUNTS, MAILSTEAD_MAILBOX_DRIVER: 'mail' })
  const asked = { domain: 'asked.test', providers: { mailbox: 'mail' } }
  assert.equal((await house.client.post('/domains', asked)).status, 422)
  const { body } = await house.client.post('/domains', { domain: 'unasked.test' })
  const { body: domain } = await house.client.get(`/domains/${body.domain_id}`)
  assert.equal(domain.providers.mailbox, 'embedded')
})

test('of several accounts, the one with the fewest domains is taken, and a domain stays where it is', async () => {
  const emulated = { ...mailcow, url: 'http://127.0.0.1:9', world: 'sandbox' }
  const MAILSTEAD_ACCOUNTS = await written({ one: emulated, two: emulated })
  await using house = await testHouse({ MAILSTEAD_ACCOUNTS, MAILSTEAD_MAILBOX_DRIVER: 'one,two' })
  const placed: string[] = []
  for (const name of ['a.test', 'b.test', 'c.test', 'd.test']) {
    const { body } = await house.client.post('/domains', { domain: name })
    placed.push((await house.client.get(`/domains/${body.domain_id}`)).body.providers.mailbox)
  }
  assert.deepEqual(placed, ['one', 'two', 'one', 'two'])
})
