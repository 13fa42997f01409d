/** The whole product as a primary, by its settings. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { readConfig } from '#config/settings.ts'
import { startMailstead } from '#runtime/start.ts'
import { until } from '../client.ts'
import { dataDirectory } from '../directories.ts'
import { FREE_PORTS, testHouse } from '../house.ts'
import { missing } from '../needs.ts'

const withoutKdig = missing('kdig (Debian: knot-dnsutils)', () => existsSync('/usr/bin/kdig'))
const run = promisify(execFile)

const SECRET = Buffer.alloc(32, 'canary-of-the-transfer-key').toString('base64')
const SETTINGS = {
  MAILSTEAD_LABORATORY: 'true',
  MAILSTEAD_TRANSFER_KEYS: `transfer.example.net:hmac-sha256:${SECRET}`,
  MAILSTEAD_CATALOG_ZONE: 'catalog.example.net',
  MAILSTEAD_NAMESERVER_ZONE: 'ns.acme.test',
  MAILSTEAD_NAMESERVER_ADDRESSES: '127.0.0.1,127.0.0.2',
  MAILSTEAD_MAIL_HOST: 'mx.acme.test',
}

/** The answers to a signed question, a record a line. */
async function answers(server: string, ...question: string[]): Promise<string[]> {
  const [address, port] = server.split(':') as [string, string]
  const key = `hmac-sha256:transfer.example.net:${SECRET}`
  const options = [`@${address}`, '-p', port, '-y', key, '+noall', '+answer', '+nocomments']
  const { stdout } = await run('kdig', [...options, ...question])
  return stdout.split('\n').map((line) => line.replace(/\s+/g, ' '))
}

test('a primary gives its own zones and the catalog to those who have the key', {
  skip: withoutKdig ?? false,
}, async () => {
  await using house = await testHouse(SETTINGS)
  const catalog = await until(
    // SERVFAIL until it has been read.
    () => answers(house.dns, 'catalog.example.net', 'AXFR').catch((): string[] => []),
    (lines) => lines.some((line) => / PTR /.test(line)),
  )
  const members = catalog.flatMap((line) => / PTR (\S+)$/.exec(line)?.[1] ?? [])
  assert.deepEqual(members.toSorted(), ['mx.acme.test.', 'ns.acme.test.'])
  const zone = await answers(house.dns, 'ns.acme.test', 'AXFR')
  assert.ok(
    zone.some((line) => /^\S+\.ns\.acme\.test\. 3600 (IN )?A 127\.0\.0\.1/.test(line)),
    zone.join('\n'),
  )

  // A second machine: the role dns alone, on the same database.
  await using directory = await dataDirectory()
  const config = readConfig({
    ...FREE_PORTS,
    ...SETTINGS,
    DATABASE_URL: house.database.url,
    MAILSTEAD_DATA_DIR: directory.path,
    MAILSTEAD_ROLES: 'dns',
  })
  await using second = await startMailstead({ config, logger: pino({ level: 'silent' }) })
  const [elsewhere] = second.dns
  const there = await until(
    () => answers(elsewhere!, 'catalog.example.net', 'AXFR').catch((): string[] => []),
    (lines) => lines.length > 1,
  )
  const recordsOf = (lines: string[]) => lines.filter((line) => / (SOA|PTR) /.test(line)).toSorted()
  assert.deepEqual(recordsOf(there), recordsOf(catalog), 'the same serial, the same members')
  assert.deepEqual(recordsOf(await answers(elsewhere!, 'ns.acme.test', 'AXFR')), recordsOf(zone))
  const written = house.logLines.join('\n')
  assert.ok(!written.includes(SECRET), 'no line of the log has the secret')
})
