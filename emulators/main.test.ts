/** `npm run emulate`, as those who run it meet it: what it prints, its faults and its acts over HTTP. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import type { DriverKind } from '#drivers/kind.ts'
import { MAILBOX_SERVICES, SENDERS, ZONE_HOSTS } from '#drivers/registry.ts'
import type { Client, Json } from '../test/client.ts'
import { testTools } from '../test/tools.ts'
import { FAULTS } from './faults.ts'

type Emulator = AsyncDisposable & {
  url: string
  /** What the driver of the printed account is opened with. */
  settings: Record<string, unknown>
  account: Json
  acts: string[]
  post(what: 'faults' | 'acts', body: object | string): ReturnType<Client['post']>
  stop(): Promise<number | null>
}

const run = (...args: string[]): ChildProcess =>
  spawn(process.execPath, ['emulators/main.ts', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })

async function emulate(name: string): Promise<Emulator> {
  const child = run(name)
  const exited = once(child, 'exit')
  const printed = await new Promise<string>((resolve, reject) => {
    let text = ''
    child.stdout!.on('data', (chunk) => {
      text += chunk
      if (text.endsWith('\n}\n')) resolve(text)
    })
    child.on('exit', () => reject(new Error(`${name} ended before it was ready: ${text}`)))
  })
  const [, url = ''] = /ready: (\S+)/.exec(printed) ?? []
  const file = JSON.parse(printed.slice(printed.indexOf('\n{') + 1))
  const account = file[`${name}-emulator`]
  const { driver: _driver, world: _world, sandbox: _sandbox, ...settings } = account
  const stop = async () => {
    child.kill('SIGTERM')
    return ((await exited) as [number | null])[0]
  }
  return {
    url,
    account,
    settings,
    acts: (/one of (.*)\./.exec(printed)?.[1] ?? '').split(', '),
    async post(what, body) {
      const response = await fetch(`${url}/emulator/${what}`, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
      const text = await response.text()
      const { status, headers } = response
      return { status, headers, body: text === '' ? undefined : JSON.parse(text) }
    },
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  }
}

const claim = (name: string) => ({ claimId: randomUUID(), name, nameservers: [] })
const opened = <Driver>(kind: DriverKind<Driver, unknown>, { settings }: Emulator): Driver =>
  kind.open(kind.settings.parse(settings), testTools())

const page = await readFile('docs/drivers/README.md', 'utf8')
const missingIn = (words: readonly string[]) =>
  words.filter((word) => !page.includes(`\`${word}\``))

describe('an emulator that is run by hand', { concurrency: true }, () => {
  test('Azure: an account with a secret for events, stuck checks, refused usernames', async ({
    signal,
  }) => {
    await using emulator = await emulate('azure')
    const { post } = emulator
    assert.deepEqual([emulator.account.driver, emulator.account.world], ['azure', 'sandbox'])
    assert.ok(emulator.account.sandbox.records.length > 0)
    const driver = opened(SENDERS.azure!, emulator)
    assert.equal(driver.events?.secret, emulator.account.event_secret)
    assert.equal((await driver.ensureDomain(claim('acme.test'), signal)).is, 'waiting')

    assert.equal((await post('faults', { kind: 'throttled', target: 'mailstead' })).status, 204)
    await assert.rejects(driver.ensureDomain(claim('b.test'), signal), { kind: 'throttled' })

    const stuck = { act: 'stick', domain: 'acme.test', type: 'DKIM', times: 2 }
    for (const act of [stuck, { act: 'refuse_usernames' }, { act: 'allow_usernames' }]) {
      assert.equal((await post('acts', act)).status, 204)
    }
    assert.deepEqual((await post('acts', { act: 'sent' })).body, [])
    const report = { act: 'report', operation: 'none', status: 'Bounced' }
    assert.deepEqual((await post('acts', report)).body, { detail: 'nothing was sent as none' })
    await post('acts', { act: 'forbid' })
    await assert.rejects(driver.ensureDomain(claim('c.test'), signal), { kind: 'forbidden' })
    assert.deepEqual(missingIn(emulator.acts), [])
    assert.equal(await emulator.stop(), 0)
  })

  test('Cloudflare: zones that become active, and move away again', async ({ signal }) => {
    await using emulator = await emulate('cloudflare')
    const { post, account } = emulator
    const driver = opened(ZONE_HOSTS.cloudflare!, emulator)
    await driver.ensureZone(claim('acme.test'), signal)
    const statusOf = async () => {
      const headers = { authorization: `Bearer ${account.api_token}` }
      const answer = await fetch(`${account.url}/zones?name=acme.test`, { headers })
      return ((await answer.json()) as Json).result[0].status
    }
    const seen = [await statusOf()]
    for (const act of ['activate', 'move']) {
      assert.equal((await post('acts', { act, zone: 'acme.test' })).status, 204)
      seen.push(await statusOf())
    }
    assert.deepEqual(seen, ['pending', 'active', 'moved'])
    const { body } = await post('acts', { act: 'holdings' })
    assert.deepEqual(body, { zones: ['acme.test'], records: 1 })
    await post('acts', { act: 'hold_elsewhere', zone: 'b.test' })
    await assert.rejects(driver.ensureZone(claim('b.test'), signal), { kind: 'conflict' })
    await post('faults', { kind: 'broken' })
    await assert.rejects(driver.ensureZone(claim('c.test'), signal), { kind: 'unavailable' })
    assert.deepEqual(missingIn(emulator.acts), [])
    assert.equal(await emulator.stop(), 0)
  })

  test('Mailcow: a key that is revoked, and containers that are out of order', async ({
    signal,
  }) => {
    await using emulator = await emulate('mailcow')
    const { post } = emulator
    const driver = opened(MAILBOX_SERVICES.mailcow!, emulator)
    assert.ok((await driver.ensureDomain(claim('acme.test'), signal)).records.length > 0)
    for (const act of ['break', 'mend']) {
      assert.equal((await post('acts', { act, container: 'dovecot' })).status, 204)
    }
    await post('faults', { kind: 'html', times: 1 })
    await assert.rejects(driver.ensureDomain(claim('b.test'), signal), { kind: 'unavailable' })
    await post('acts', { act: 'revoke' })
    await assert.rejects(driver.ensureDomain(claim('b.test'), signal), { kind: 'unauthorized' })
    await post('acts', { act: 'restore' })
    const again = opened(MAILBOX_SERVICES.mailcow!, emulator)
    assert.ok((await again.ensureDomain(claim('b.test'), signal)).records.length > 0)

    const known = emulator.acts.join(', ')
    // biome-ignore format: a table
    const wrong: [body: object | string, said: RegExp][] = [
      ['{',                                 /JSON/],
      [{},                                  /^act: /],
      [{ act: 'fly' },                      new RegExp(`^There is no act fly; there are ${known}\\.$`)],
      [{ act: 'toString' },                 /^There is no act toString/],
      [{ act: 'break' },                    /^container: /],
      [{ act: 'revoke', zone: 'acme.test' }, /zone/],
    ]
    for (const [body, said] of wrong) {
      const answer = await post('acts', body)
      assert.equal(answer.status, 400)
      assert.match(answer.body.detail, said)
    }
    assert.equal((await post('faults', { kind: 'tired' })).status, 400)
    assert.deepEqual(missingIn(emulator.acts), [])
    assert.equal(await emulator.stop(), 0)
  })

  test('the page of drivers has every fault', () => {
    assert.deepEqual(missingIn(FAULTS), [])
  })

  // biome-ignore format: a table
  const REFUSED: [what: string, args: string[], said: RegExp][] = [
    ['no name',                      [],                              /^Usage: npm run emulate/],
    ['a name there is none of',      ['toString'],                    /^Usage: npm run emulate/],
    ['an option there is none of',   ['azure', '--speed', '9'],       /^Usage: npm run emulate/],
    ['a port that is none',          ['azure', '--port', '70000'],    /^Usage: npm run emulate/],
    ['a nameserver that is none',    ['azure', '--dns', 'ns.test'],   /^ns\.test is not an address with a port\.\n$/],
  ]
  for (const [what, args, said] of REFUSED) {
    test(`${what} is refused with a sentence`, async () => {
      const child = run(...args)
      let errors = ''
      child.stderr!.on('data', (chunk) => {
        errors += chunk
      })
      const [code] = await once(child, 'close')
      assert.equal(code, 2)
      assert.match(errors, said)
    })
  }
})
