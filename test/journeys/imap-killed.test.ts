/** Mailstead is killed while its Dovecot runs. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { commandOf } from '#postgres/processes.ts'
import { until } from '../client.ts'
import { testDatabase } from '../database.ts'
import { dataDirectory } from '../directories.ts'
import { DOVECOT, isRefused, WITHOUT_DOVECOT } from '../dovecot.ts'
import { startProduct } from '../product.ts'

test('its Dovecot ends too, and the next start shows the mailboxes again', {
  skip: WITHOUT_DOVECOT ?? false,
}, async () => {
  await using database = await testDatabase()
  await using directory = await dataDirectory()
  const settings = { ...DOVECOT, DATABASE_URL: database.url }
  const pidOf = () =>
    Number.parseInt(readFileSync(join(directory.path, 'dovecot', 'dovecot.pid'), 'utf8'), 10)
  await using first = await startProduct({ dataDir: directory.path, settings })
  const { domain_id } = await first.client.addActive('acme.test')
  const wanted = { domain_id, email_prefix: 'kim', display_name: 'Kim' }
  const { body } = await first.client.post('/sender-accounts/coldsend-native', wanted)
  assert.equal(await isRefused(body.credentials.imap, body.credentials), false)
  const pid = pidOf()
  await first.kill()
  await until(
    () => commandOf(pid),
    (command) => command === '',
  )
  await using second = await startProduct({ dataDir: directory.path, settings })
  assert.notEqual(pidOf(), pid)
  const [, port] = /IMAP 127\.0\.0\.1:(\d+)/.exec(second.line) ?? []
  assert.equal(await isRefused({ host: '127.0.0.1', port: Number(port) }, body.credentials), false)
})
