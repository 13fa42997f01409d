/** What the real API was asked and answered, asked again here. The record is no part of the repository. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startMailcowEmulator } from './emulator.ts'
import { assertFits, type Definitions } from './schema.ts'

type Call = {
  note: string
  request: { method: string; path: string; key: string | null; body?: unknown }
  response: { status: number; body: unknown }
}

const directory = process.env.MAILSTEAD_CONTRACTS
const skip =
  directory === undefined && 'MAILSTEAD_CONTRACTS names no directory of recorded contracts'

const contract = (file: string) =>
  JSON.parse(readFileSync(join(directory!, 'mailcow', file), 'utf8'))

test('every recorded call is answered as it was by the real one', { skip }, async (t) => {
  const { calls }: { calls: Call[] } = contract('observed-transcript.json')
  const { $defs }: { $defs: Definitions } = contract('observed.schema.json')
  await using mailcow = await startMailcowEmulator({ hostname: 'mail.host.test' })
  // NOTE: the record was made without these two, and its meta calls the warnings for it artefacts.
  // With them down here too the warnings need not be excused: they are compared like all else.
  mailcow.down.add('sogo').add('dovecot')
  const keys: Record<string, string> = {
    'RWKEY-1': mailcow.apiKey,
    'ROKEY-1': mailcow.readOnlyApiKey,
    'BADIP-1': mailcow.strangersApiKey,
  }
  assert.equal(calls.length, 101)
  for (const { note, request, response } of calls) {
    const { status, body } = await ask(mailcow.url, note, request, keys)
    await t.test(note, () => {
      assert.equal(status, response.status)
      assert.deepEqual(comparable(body), comparable(response.body))
      assertFits($defs, ...shapeOf(request.path, body))
    })
  }
})

/** A body that is a string was sent as it is; that it did not call itself JSON is only in the note. */
async function ask(
  url: string,
  note: string,
  request: Call['request'],
  keys: Readonly<Record<string, string>>,
) {
  const { method, path, key, body } = request
  const isJson = body !== undefined && note !== 'not json content type'
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(isJson ? { 'content-type': 'application/json' } : {}),
      ...(key === null ? {} : { 'x-api-key': keys[key] ?? key }),
    },
    body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? { __raw: '' } : JSON.parse(text) }
}

/** What differs each time is compared by its shape: times, keys, and hashes, which the record hides. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  created: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/,
  modified: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/,
  passwd_update: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/,
  pubkey: /^MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA[A-Za-z0-9+/]{342}IDAQAB$/,
  dkim_txt: /^v=DKIM1;k=rsa;t=s;s=email;p=MIIB[A-Za-z0-9+/]+IDAQAB$/,
  password: /^\{BLF-CRYPT\}\$2y\$10\$/,
}
/** `version` was null only because the sandbox was not built like a real host. */
const ARTEFACTS = ['version']

function comparable(value: unknown, key = ''): unknown {
  if (ARTEFACTS.includes(key)) return `any ${key}`
  if (typeof value === 'string' && SHAPES[key]?.test(value)) return `a ${key}`
  if (Array.isArray(value)) return value.map((item) => comparable(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, comparable(of, name)]))
}

const SHOWN: Readonly<Record<string, string>> = {
  domain: 'Domain',
  mailbox: 'Mailbox',
  alias: 'Alias',
  dkim: 'Dkim',
  'app-passwd': 'AppPasswd',
  relayhost: 'Relayhost',
  'rl-domain': 'RateLimit',
  'rl-mbox': 'RateLimit',
}

/** The definition an answer has to fit; of a list, its first item stands for all. */
function shapeOf(path: string, body: unknown): [string, unknown] {
  const [action, category] = path.replace('/api/v1/', '').split('/')
  const first = Array.isArray(body) ? body[0] : body
  if (action !== 'get') return Array.isArray(body) ? ['WriteResult', body] : ['ApiError', body]
  if (first?.type === 'error') return ['ApiError', body]
  const isEmpty = first === undefined || Object.keys(first).length === 0 || '__raw' in first
  if (isEmpty || !SHOWN[category!]) return ['Empty', {}]
  return [SHOWN[category!]!, first]
}
