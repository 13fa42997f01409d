/** The walk in README.md works as it is written, from a first start; the commands it names exist. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { temporaryDirectory } from '../directories.ts'
import { startProduct } from '../product.ts'

const README = readFileSync('README.md', 'utf8')
const MANIFEST = JSON.parse(readFileSync('package.json', 'utf8'))
const WALK_LIMIT_MS = 60_000

const [walk = '', misbehave = ''] = [...README.matchAll(/```sh\n([\s\S]*?)```/g)].map(
  ([, block]) => block,
)
const run = promisify(execFile)

/** What the commands print, line by line. Any that fails ends them. */
async function walkAgainst(base: string, dataDir: string, commands = walk): Promise<string[]> {
  const env = { PATH: process.env.PATH, BASE: base, DATA: dataDir }
  const { stdout } = await run('sh', ['-euc', commands], { env, timeout: WALK_LIMIT_MS })
  return stdout.trim().split('\n')
}

test('the walk leads from a first start to a domain that is gone again, and can be walked twice', async () => {
  await using directory = await temporaryDirectory()
  await using product = await startProduct({
    dataDir: directory.path,
    settings: { MAILSTEAD_BOOTSTRAP_KEY: '' },
  })
  for (const conversations of [1, 2]) {
    const lines = await walkAgainst(product.client.base, directory.path)
    const answers = lines.map((line) => JSON.parse(line))
    const find = (field: string) => answers.find((answer) => field in answer)
    assert.equal(find('nameservers').status, 'DNS_PENDING')
    assert.ok(answers.some(({ is_complete }) => is_complete === true))
    assert.equal(find('email_address').email_address, 'kim@acme.test')
    assert.equal(find('email_address').overall_status, 'ACTIVE')
    assert.equal(find('conversations').total_count, conversations)
    const [newest] = find('conversations').conversations
    assert.deepEqual([newest.last_message_preview, newest.campaign_id], ['Is this on?', null])
    assert.equal(find('deleted').deleted, true)
    assert.equal(answers.at(-1).state, 'done')
    assert.ok(answers.at(-1).steps.every(({ state }: { state: string }) => state === 'removed'))
  }
  const definitions = walk.split('\n\n')[0]
  const [asked] = await walkAgainst(
    product.client.base,
    directory.path,
    `${definitions}\n${misbehave}`,
  )
  assert.equal(JSON.parse(asked!).outcome, 'rejected')
})

test('the walk is about ten commands, and its defaults are those of the settings', () => {
  const commands = walk.split('\n').filter((line) => /^(ADDED|ID|api|until)\b(?!\(\))/.test(line))
  assert.ok(commands.length <= 12, String(commands.length))
  assert.match(walk, /BASE:-http:\/\/127\.0\.0\.1:8080\b/)
  assert.match(walk, /DATA:-\.\/data\b/)
})

test('every npm script that the page names exists, and so does what it runs', () => {
  const named = [...README.matchAll(/\bnpm (?:run )?(start|test)\b|\bnpm run ([a-z]+)\b/g)]
  const scripts = named.map(([, short, long]) => short ?? long!)
  assert.ok(scripts.length >= 3)
  for (const name of scripts) {
    const file = /scripts\/node (\S+)/.exec(MANIFEST.scripts[name] ?? '')?.[1]
    assert.ok(file !== undefined && existsSync(file), `npm run ${name}`)
  }
})
