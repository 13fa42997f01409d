/** A removal that waits for a service which is gone is ended by the operator, who is told what may still stand there. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { until } from '../client.ts'
import { testDatabase } from '../database.ts'
import { dataDirectory } from '../directories.ts'
import { startOutside } from '../outside.ts'
import { startProduct } from '../product.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())
const outside = opened.use(await startOutside())
const database = opened.use(await testDatabase())
const directory = opened.use(await dataDirectory())
const settings = { ...outside.settings, DATABASE_URL: database.url }
const product = opened.use(await startProduct({ dataDir: directory.path, settings }))
outside.bind(product)
const { client } = product

/** What the command line says; rejects with what it says on its standard error. */
async function mailstead(...args: string[]): Promise<string> {
  const env = { ...process.env, MAILSTEAD_DATA_DIR: directory.path }
  const run = promisify(execFile)
  return (await run(process.execPath, ['src/cli/main.ts', ...args], { env })).stdout
}

test('what waits for a service that is gone is given up, told, and the name is free again', async () => {
  const providers = { mailbox: 'mail-1' }
  const { body: added } = await client.post('/domains', { domain: 'forsaken.test', providers })
  const { domain_id: id } = added
  await client.delegate('forsaken.test', added.nameservers)
  await client.untilDomain(id, ({ status }) => status === 'ACTIVE')
  await assert.rejects(mailstead('removals', 'abandon', id), /There is no removal of such a domain/)

  await outside.mailcow[Symbol.asyncDispose]()
  await client.undelegate('forsaken.test')
  await client.delete(`/domains/${id}`)
  const steps = async () => (await client.get(`/domains/${id}/removal`)).body.steps
  await until(steps, (seen) => /Mailcow could not be reached/.test(JSON.stringify(seen)))
  const again = await client.post('/domains', { domain: 'forsaken.test' })
  assert.equal(again.body.error, 'domain_being_removed')
  assert.equal(await mailstead('removals', 'orphans'), '')

  const told = await mailstead('removals', 'abandon', id)
  assert.match(told, /^\S+ mail-1 mail_domain_ready forsaken\.test \(claim [0-9a-f-]{36}\)\n$/)
  const removal = await client.untilRemoval(id, 'abandoned')
  const states = removal.steps.map(({ what, state }: Record<string, string>) => `${what} ${state}`)
  assert.ok(states.includes('mail_domain_ready abandoned'), states)
  assert.ok(states.includes('sender_registered removed'), states)
  assert.equal(await mailstead('removals', 'orphans'), told)
  assert.equal((await client.post('/domains', { domain: 'forsaken.test' })).status, 201)
})

test('nothing is given up that is not asked for by its id', async () => {
  for (const args of [[], ['forsaken.test'], ['0190a1b2-c3d4-7e5f-8a6b-123456789abc']])
    await assert.rejects(mailstead('removals', 'abandon', ...args), { code: 1 })
})
