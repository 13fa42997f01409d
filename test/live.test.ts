/** `npm run live` against emulators, and a real PowerDNS: what it examines at accounts of one's own. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { temporaryDirectory } from './directories.ts'
import { NOTHING_LEFT_AT_TWO, startOutside } from './outside.ts'
import { withoutPdns } from './pdns.ts'

const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
// Accounts of ordinary customers. Who examines one keeps nobody else from it, so each run has its own.
const outside = await startOutside({
  subdomains: false,
  senderUsernamesAllowed: false,
  isDouble: true,
})
after(() => outside[Symbol.asyncDispose]())
const FILE = outside.settings.MAILSTEAD_ACCOUNTS!

type Ended = { code: number; output: string; errors: string }

function live(args: readonly string[], file = FILE): Promise<Ended> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['test/live.ts', ...args],
      { env: { ...env, MAILSTEAD_ACCOUNTS: file }, encoding: 'utf8' },
      (error, output, errors) => resolve({ code: Number(error?.code ?? 0), output, errors }),
    )
  })
}

// biome-ignore format: a table
const EXAMINED: [account: string, at: readonly string[], sentences: number, absent?: string | undefined][] = [
  ['cf',         ['cloudflare.example'],                      40],
  ['pdns',       ['powerdns.example'],                        40, withoutPdns],
  ['mail-1',     ['mailcow.example'],                         20],
  ['azure-west', ['azure.example', '--zone', 'cf'],           16],
  ['azure-east', ['azure-2.example', '--zone', 'pdns'],       16, withoutPdns],
]

// One by one: two that write at a PowerDNS on SQLite at once get in each other's way.
describe('an account at a service', () => {
  for (const [account, at, sentences, absent] of EXAMINED) {
    test(`${account} ${at.join(' ')} passes`, { skip: absent ?? false }, async () => {
      const { code, output, errors } = await live([account, ...at])
      assert.equal(code, 0, output + errors)
      const [, passed] = /pass (\d+)/.exec(output) ?? []
      assert.ok(Number(passed) >= sentences, `${passed} sentences were examined`)
      const isTold = /^Now have the registrar delegate azure\S* to \S+ and \S+\.$/m.test(output)
      assert.equal(isTold, at.includes('--zone'))
    })
  }
  test('with --all, what an ordinary account may not is examined, and fails', async () => {
    const { code, output } = await live(['cf', 'all.example', '--all'])
    assert.equal(code, 1)
    assert.match(output, /✖ many claims’ zones are made and removed at once/)
  })
})

test('and nothing is left at any of them', async () => {
  assert.deepEqual(await outside.left(), NOTHING_LEFT_AT_TWO)
})

const KEY = 'canary-key-that-nobody-may-see'

async function written(content: unknown): Promise<string> {
  const path = join(directory.path, `${Math.random()}.json`)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

// biome-ignore format: a table
const REFUSED: [what: string, args: readonly string[], said: RegExp, content?: unknown][] = [
  ['no name',                      ['cf'],                              /^Usage: npm run live/],
  ['an account there is none of',  ['dns', 'a.example'],                /^There is no account dns in the file; there are .*cf, azure-west, mail-1, azure-east, mail-2\.\n$/],
  ['a sender without a zone host', ['azure-west', 'a.example'],         /^A sender looks at the DNS, so a zone host is needed\./],
  ['a zone host that is none',     ['azure-west', 'a.example', '--zone', 'mail-1'], /^The account mail-1 is no zone host\.\n$/],
  ['a driver there is none of',    ['a', 'a.example'], /^The account a has a driver that there is none of: route53\.\n$/, { a: { driver: 'route53', api_key: KEY } }],
  ['a field that is missing',      ['a', 'a.example'], /^The account a is not in order: url: .*\.\n$/, { a: { driver: 'mailcow', api_key: KEY } }],
  ['a file that is no JSON',       ['a', 'a.example'], /^\S+ does not hold accounts by name, as JSON\.\n$/, `{"a": "${KEY}`],
]

describe('what cannot be examined is refused with a sentence', { concurrency: true }, () => {
  for (const [what, args, said, content] of REFUSED) {
    test(what, async () => {
      const ended = await live(args, content === undefined ? FILE : await written(content))
      assert.equal(ended.code, 2)
      assert.match(ended.errors, said)
      assert.doesNotMatch(ended.errors + ended.output, new RegExp(KEY))
    })
  }
  test('a file that is not there', async () => {
    const { code, errors } = await live(['cf', 'a.example'], '/nowhere/accounts.json')
    assert.deepEqual([code, errors], [2, '/nowhere/accounts.json cannot be read.\n'])
  })
  test('no file at all', async () => {
    const { code, errors } = await live(['cf', 'a.example'], '')
    assert.equal(code, 2)
    assert.match(errors, /^MAILSTEAD_ACCOUNTS names no file\./)
  })
})

test('a zone host that refuses us is told of in a sentence', async () => {
  outside.cloudflare.revoke()
  const { code, errors } = await live(['azure-west', 'a.example', '--zone', 'cf'])
  outside.cloudflare.restore()
  const sentence = 'There is no zone to publish in: Cloudflare refuses our credentials.\n'
  assert.deepEqual([code, errors], [2, sentence])
})
