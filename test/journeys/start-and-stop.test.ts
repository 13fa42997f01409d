import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, readdir, readFile, stat } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { UNKNOWN_ID } from '../api/expect.ts'
import { Client, until } from '../client.ts'
import { temporaryDirectory } from '../directories.ts'
import { ask } from '../dns.ts'
import { closedToOthers } from '../needs.ts'
import { spawnProduct, startProduct } from '../product.ts'

const run = promisify(execFile)

/** Used by one after the other, for a database takes a while to make. */
const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())

/** Living processes whose command line names the directory. */
async function processesOf(directory: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map(commandOf))
  return lines.filter((line) => line.includes(directory))
}

/** Empty for a process that has gone, and for a zombie. */
const commandOf = (pid: string): Promise<string> =>
  readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')

test('a first start makes a key and says where; a second one finds everything as it was', async () => {
  const options = { dataDir: directory.path, settings: { MAILSTEAD_BOOTSTRAP_KEY: '' } }
  const first = await startProduct(options)
  const keyFile = join(directory.path, 'first-test-key')
  assert.equal((await stat(keyFile)).mode & 0o777, 0o600)
  const client = new Client(first.client.base, (await readFile(keyFile, 'utf8')).trim())
  const { body: added } = await client.post('/domains', { domain: 'kept.test' })
  assert.equal(added.status, 'DNS_PENDING')
  assert.equal(
    (await readFile(join(directory.path, 'mailstead.pid'), 'utf8')).trim().length > 0,
    true,
  )

  const cli = await run(
    process.execPath,
    ['src/cli/main.ts', 'keys', 'create', '--name', 'second', '--scopes', 'domains:read'],
    {
      env: { ...process.env, MAILSTEAD_DATA_DIR: directory.path },
    },
  )
  const reader = new Client(first.client.base, cli.stdout.trim())
  assert.equal((await reader.get(`/domains/${added.domain_id}`)).status, 200)
  assert.equal((await reader.delete(`/domains/${added.domain_id}`)).status, 403)

  const unknown = ['src/cli/main.ts', 'keys', 'create', '--workspace', UNKNOWN_ID]
  const env = { ...process.env, MAILSTEAD_DATA_DIR: directory.path }
  await assert.rejects(run(process.execPath, unknown, { env }), {
    code: 1,
    stderr: 'Mailstead created no key: "Workspace not found"\n',
  })

  assert.equal(await first.stop(), 0)
  assert.equal(existsSync(join(directory.path, 'mailstead.pid')), false)
  await until(
    () => processesOf(directory.path),
    (left) => left.length === 0,
  )

  await using second = await startProduct(options)
  const again = new Client(second.client.base, client.key)
  assert.deepEqual(
    (await again.get(`/domains/${added.domain_id}`)).body.nameservers,
    added.nameservers,
  )
})

test('kill -9 leaves no process behind, and the next start works', async () => {
  const options = { dataDir: directory.path, settings: {} }
  const first = await startProduct(options)
  await first.kill()
  await until(
    () => processesOf(directory.path),
    (left) => left.length === 0,
  )
  await using second = await startProduct(options)
  assert.equal((await second.client.get('/domains')).status, 200)
})

test('the nameserver serves its zones of before while the Postgres of its own is still starting', async () => {
  const options = { dataDir: directory.path, settings: {} }
  const first = await startProduct(options)
  await first.client.addActive('early.test')
  await first.stop()
  await using second = spawnProduct(options)
  const log = await until(
    async () => second.log(),
    (seen) => seen.includes('serves its zones as of'),
  )
  const { dns } = JSON.parse(log.split('\n').find((line) => line.includes('as of'))!)
  assert.equal((await ask(dns[0], 'early.test', 'MX')).answers.length, 1)
  assert.ok((await second.ready()).includes(`DNS ${dns[0]}`))
})

const isRoot = process.getuid?.() === 0

test('root in a container, without the capability to pass closed directories, can start it', {
  skip: isRoot ? (closedToOthers() ?? false) : 'only root changes to another user',
}, async () => {
  await using directory = await temporaryDirectory()
  await chmod(directory.path, 0o711)
  const dataDir = join(directory.path, 'data')
  const under = ['setpriv', '--bounding-set=-dac_read_search', '--inh-caps=-dac_read_search']
  await using product = await startProduct({ dataDir, settings: {}, under })
  assert.equal((await product.client.get('/domains')).status, 200)
})

test('a second process on the same data directory is refused, and the first goes on', async () => {
  const options = { dataDir: directory.path, settings: {} }
  await using first = await startProduct(options)
  await assert.rejects(startProduct(options), /ended before it was ready/)
  assert.equal((await first.client.get('/domains')).status, 200)
})

test('a port that is taken ends the start, with a sentence that names it and nothing left behind', async () => {
  const other = createServer()
  await once(other.listen(0, '127.0.0.1'), 'listening')
  const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`
  const settings = { MAILSTEAD_DNS_LISTEN: `127.0.0.1:0,${taken}` }
  const start = startProduct({ dataDir: directory.path, settings })
  await assert.rejects(start, new RegExp(`ended before it was ready: .*Cannot listen .* ${taken}`))
  other.close()
  await until(
    () => processesOf(directory.path),
    (left) => left.length === 0,
  )
})

test('settings that make no sense are all named, without their secrets, and nothing starts', async () => {
  const child = spawn(process.execPath, ['src/main.ts'], {
    env: {
      ...process.env,
      MAILSTEAD_HTTP_LISTEN: 'everywhere',
      MAILSTEAD_LABORATORY: 'perhaps',
      MAILSTEAD_SENDER_DRIVER: 'No Account',
      MAILSTEAD_SECRET_KEY: 'hunter2',
    },
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const code = await new Promise((resolve) => child.on('exit', resolve))
  assert.equal(code, 1)
  for (const name of ['HTTP_LISTEN', 'LABORATORY', 'SENDER_DRIVER', 'SECRET_KEY'])
    assert.match(said, new RegExp(`MAILSTEAD_${name}`))
  assert.doesNotMatch(said, /hunter2/)
})
