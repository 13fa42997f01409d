/** A process of the release before the latest migration goes on working once another has migrated. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { makeApiKey } from '#names/api-key.ts'
import { migrate } from '#store/migrate.ts'
import type { Client } from '../client.ts'
import { emptyDatabase } from '../database.ts'
import { temporaryDirectory } from '../directories.ts'
import { startProduct } from '../product.ts'

const LATEST = readdirSync('migrations').toSorted().at(-1)!

const git = (...args: readonly string[]): Buffer =>
  execFileSync('git', ['-c', 'safe.directory=*', ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 256 * 1024 * 1024,
  })

/** The commit before the one that added the latest migration; undefined where there is no history. */
function commitBefore(): string | undefined {
  try {
    const path = `migrations/${LATEST}`
    const added = String(git('log', '-1', '--diff-filter=A', '--format=%H', '--', path)).trim()
    // One that is not committed yet comes after all commits.
    return String(git('rev-parse', '--verify', added === '' ? 'HEAD' : `${added}^`)).trim()
  } catch {
    return undefined
  }
}

const former = commitBefore()
const skip = former === undefined && `there is no commit before ${LATEST}`

/** Checks the commit out, with the dependencies of this one. */
function checkOut(commit: string, into: string): void {
  execFileSync('tar', ['-x', '-C', into], { input: git('archive', commit) })
  symlinkSync(resolve('node_modules'), join(into, 'node_modules'))
}

async function life(client: Client, name: string): Promise<void> {
  const { domain_id } = await client.addActive(name)
  const { status, body: inbox } = await client.post('/sender-accounts/coldsend-native', {
    domain_id,
    email_prefix: 'kim',
    display_name: 'Kim',
  })
  assert.equal(status, 201)
  const recipient = { recipient_email: 'ann@inbox.test' }
  const sent = await client.post(`/sender-accounts/${inbox.inbox_id}/test-email`, recipient)
  assert.equal(sent.status, 200)
  assert.equal((await client.delete(`/domains/${domain_id}`)).status, 200)
  await client.undelegate(name)
  await client.untilRemoval(domain_id, 'done')
}

test(`a process from before ${LATEST} leads domains through their lives afterwards`, {
  skip,
}, async () => {
  await using database = await emptyDatabase()
  await using directory = await temporaryDirectory()
  await using code = await temporaryDirectory()
  checkOut(former!, code.path)
  const settings = { DATABASE_URL: database.url, MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox') }
  const dataDir = join(directory.path, 'old')
  await using old = await startProduct({ dataDir, settings, directory: code.path })
  await life(old.client, 'before.test')
  const { body: waiting } = await old.client.post('/domains', { domain: 'waiting.test' })
  await migrate(database.connection, (error) => assert.fail(error))
  await life(old.client, 'afterwards.test')
  const stillThere = await old.client.get(`/domains/${waiting.domain_id}`)
  assert.equal(stillThere.status, 200)
  assert.doesNotMatch(old.log(), /"level":50/)
})
