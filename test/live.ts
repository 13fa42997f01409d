/**
 * `npm run live -- <account> <name> [--zone <account>]`: holds a driver to its contract at a real account
 * of the accounts file. What it makes for `name` it removes; use a name that nothing else depends on.
 */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after } from 'node:test'
import { parseArgs } from 'node:util'
import { mailboxDriverConformance } from '#drivers/mailbox/conformance.ts'
import { excuses as mailcowExcuses } from '#drivers/mailbox/mailcow/excuses.ts'
import { MAILBOX_SERVICES, SENDERS, ZONE_HOSTS } from '#drivers/registry.ts'
import { excuses as azureExcuses } from '#drivers/sender/azure/excuses.ts'
import { senderDriverConformance } from '#drivers/sender/conformance.ts'
import type { NeededRecord } from '#drivers/sender/contract.ts'
import { excuses as cloudflareExcuses } from '#drivers/zone/cloudflare/excuses.ts'
import { zoneDriverConformance } from '#drivers/zone/conformance.ts'
import type { ClaimRef, ZoneDriver } from '#drivers/zone/contract.ts'
import { excuses as powerdnsExcuses } from '#drivers/zone/powerdns/excuses.ts'
import { testTools } from './tools.ts'

const USAGE = `Usage: npm run live -- <account> <name> [--zone <account>]

  <account>  of the file that MAILSTEAD_ACCOUNTS names
  <name>     a domain that nothing depends on: zones, mail domains and registrations of it come and go
  --zone     for a sender: the zone host that <name> is delegated to, where its records are published`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { zone: { type: 'string' } },
})
const [account, name] = positionals
const file = process.env.MAILSTEAD_ACCOUNTS
if (!account || !name || !file) stop(USAGE)
const accounts: Record<string, Record<string, unknown>> = JSON.parse(await readFile(file, 'utf8'))

const claim = (): ClaimRef => ({ claimId: randomUUID(), name: name!, nameservers: pair() })
const pair = (): string[] =>
  ['a', 'b'].map((label) => `${label}-${randomUUID().slice(0, 4)}.ns.example`)
const NO_QUESTIONS = 'The public DNS is not asked here: it may take its time.'

const written = settingsOf(account)
const zoneKind = ZONE_HOSTS[written.driver]
const senderKind = SENDERS[written.driver]
const mailboxKind = MAILBOX_SERVICES[written.driver]

if (zoneKind) {
  const driver = zoneKind.open(zoneKind.settings.parse(written.settings), testTools())
  zoneDriverConformance(
    account,
    async () => {
      const bench = { driver, claim: claim(), rival: claim() }
      return {
        ...bench,
        [Symbol.asyncDispose]: () => removeZones(driver, [bench.claim, bench.rival]),
      }
    },
    {
      ...(written.driver === 'cloudflare' ? cloudflareExcuses : powerdnsExcuses),
      'the host’s own nameservers answer what was put, with authority': NO_QUESTIONS,
      'the host’s own nameservers answer a change, and nothing once the zone is removed':
        NO_QUESTIONS,
    },
  )
}

if (mailboxKind) {
  // The suite makes more mailboxes than a domain has by default.
  const settings = mailboxKind.settings.parse({ ...written.settings, mailboxes: 200 })
  const driver = mailboxKind.open(settings, testTools())
  mailboxDriverConformance(
    account,
    async () => {
      const claims = [claim(), claim()] as const
      return {
        driver,
        claim: claims[0],
        rival: claims[1],
        async [Symbol.asyncDispose]() {
          for (const each of claims) await driver.removeDomain(each, AbortSignal.timeout(60_000))
        },
      }
    },
    mailcowExcuses,
  )
}

if (senderKind) {
  if (!values.zone) stop(`A sender looks at the DNS, so a zone host is needed.\n\n${USAGE}`)
  const zone = openZoneHost(values.zone)
  const zoneClaim = claim()
  const driver = senderKind.open(senderKind.settings.parse(written.settings), testTools())
  let shown: readonly NeededRecord[] = []
  const signal = AbortSignal.timeout(3_600_000)
  await zone.ensureZone(zoneClaim, signal)
  after(() => zone.removeZone(zoneClaim, signal))
  senderDriverConformance(
    account,
    async () => {
      const claims = [claim(), claim()] as const
      return {
        driver,
        claim: claims[0],
        rival: claims[1],
        async publish(records) {
          const drops = shown.map(({ name: at, type }) => ({ drop: { name: at, type } }))
          await zone.changeZone(zoneClaim, drops, signal)
          await zone.changeZone(
            zoneClaim,
            records.map(({ purpose: _, ...put }) => ({ put })),
            signal,
          )
          shown = records
        },
        silence: async () => undefined,
        async [Symbol.asyncDispose]() {
          for (const each of claims) await driver.removeDomain(each, AbortSignal.timeout(300_000))
        },
      }
    },
    {
      ...azureExcuses,
      'verifyDomain throws when it could not ask': 'A real service cannot be silenced.',
    },
  )
}

function settingsOf(of: string): { driver: string; settings: Record<string, unknown> } {
  const found = accounts[of]
  if (!found) return stop(`There is no account ${of} in the file.`)
  const { driver, world: _world, sandbox: _sandbox, ...settings } = found
  return { driver: String(driver), settings }
}

function openZoneHost(of: string): ZoneDriver {
  const { driver, settings } = settingsOf(of)
  const kind = ZONE_HOSTS[driver]
  if (!kind) return stop(`${of} is no zone host.`)
  return kind.open(kind.settings.parse(settings), testTools())
}

async function removeZones(driver: ZoneDriver, claims: readonly ClaimRef[]): Promise<void> {
  for (const each of claims) await driver.removeZone(each, AbortSignal.timeout(60_000))
}

function stop(message: string): never {
  console.error(message)
  process.exit(2)
}
