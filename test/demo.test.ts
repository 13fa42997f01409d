/** The demo is what a newcomer sees first: it runs as they run it, and leaves nothing behind. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { type Directory, temporaryDirectory } from './directories.ts'

const LIMIT_MS = 120_000
const DEMO = join(import.meta.dirname, '../demo/main.ts')

test('the demo tells its story to the end and leaves nothing behind', async () => {
  await using directory = await passableDirectory()
  const demo = startDemo(directory.path)
  const said = text(demo.stdout!)
  assert.equal(await exitCode(demo), 0, await said)
  for (const line of KEY_LINES) assert.match(await said, line)
  assert.doesNotMatch(await said, /\x1b/)
  assert.deepEqual(await readdir(directory.path), [])
})

const KEY_LINES = [
  /^ {2}✓ Mailstead is ready +\d/m,
  /^ {4}\w+\.ns\.mailstead\.test$/m,
  /^ {2}✓ Its parent zone delegates it to exactly this pair +\d/m,
  /^ {2}✓ A message went out, came in, and was authentic +\d/m,
  /^ {2}shop\.example is ACTIVE, /m,
  /^ {4}shop\.example\. 300 IN MX 10 mx\.mailstead\.test\.$/m,
  /^ {4}shop\.example\. 300 IN TXT "v=spf1 /m,
  /^ {4}\w+\._domainkey\.shop\.example\. 300 IN TXT\n {6}"v=DKIM1; /m,
  /^ {4}_dmarc\.shop\.example\. 300 IN TXT\n {6}"v=DMARC1; /m,
  /^ {4}SPF pass, DKIM pass, DMARC pass$/m,
  /^ {4}“Are you open on Sunday\?”$/m,
  /^ {2}✓ The API answers 404 for it\.$/m,
  /^ {2}✓ The nameserver answers REFUSED to questions about it\.$/m,
  /^ {4}< 550 /m,
  /^ {2}Delegation published → seen +\d/m,
]

test('Ctrl-C in the middle ends the product and removes its directory', async () => {
  await using directory = await passableDirectory()
  const demo = startDemo(directory.path)
  const said = text(demo.stdout!)
  demo.stdout!.on('data', (chunk: Buffer) => {
    if (chunk.includes('3. Set the nameservers')) demo.kill('SIGINT')
  })
  assert.equal(await exitCode(demo), 130, await said)
  assert.match(await said, /^✗ Interrupted\.$/m)
  assert.deepEqual(await readdir(directory.path), [])
})

test('what goes wrong is said in a sentence, and the exit code is 1', async () => {
  const demo = startDemo('/there/is/no/such/directory')
  const said = text(demo.stdout!)
  assert.equal(await exitCode(demo), 1)
  assert.match(await said, /^✗ No temporary directory could be made: /m)
})

function startDemo(temporary: string): ChildProcess {
  return spawn(process.execPath, [DEMO], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LIMIT_MS,
  })
}

async function exitCode(demo: ChildProcess): Promise<unknown> {
  const [code] = await once(demo, 'close')
  return code
}

/** Started by root, Postgres runs as nobody, who must be able to pass through. */
async function passableDirectory(): Promise<Directory> {
  const directory = await temporaryDirectory()
  await chmod(directory.path, 0o711)
  return directory
}
