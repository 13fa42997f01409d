/**
 * `npm run live -- <account> <name>`: holds a driver to its contract at a real account of the accounts
 * file. What it makes for `name` it removes; use a name that nothing else depends on.
 */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { after } from 'node:test'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { DriverKind } from '#drivers/kind.ts'
import {
  type Excuses as MailboxExcuses,
  mailboxDriverConformance,
} from '#drivers/mailbox/conformance.ts'
import type { MailboxDriver } from '#drivers/mailbox/contract.ts'
import * as mailcow from '#drivers/mailbox/mailcow/excuses.ts'
import { MAILBOX_SERVICES, SENDERS, ZONE_HOSTS } from '#drivers/registry.ts'
import * as azure from '#drivers/sender/azure/excuses.ts'
import {
  type Patience,
  type Excuses as SenderExcuses,
  senderDriverConformance,
} from '#drivers/sender/conformance.ts'
import type { NeededRecord, SenderDriver } from '#drivers/sender/contract.ts'
import * as cloudflare from '#drivers/zone/cloudflare/excuses.ts'
import { type Excuses as ZoneExcuses, zoneDriverConformance } from '#drivers/zone/conformance.ts'
import type { ClaimRef, RRset, ZoneDriver } from '#drivers/zone/contract.ts'
import * as powerdns from '#drivers/zone/powerdns/excuses.ts'
import { testTools } from './tools.ts'

const USAGE = `Usage: npm run live -- <account> <name> [--zone <account>] [--all]

  <account>  of the file that MAILSTEAD_ACCOUNTS names
  <name>     a domain that nothing depends on: zones, mail domains and registrations of it come and go
  --zone     for a sender: the zone host that <name> is delegated to, where its records are published
  --all      what a provider allows its larger customers only, too`

/** By the driver's name; `excusesOfMost` are those of accounts that are not the provider's largest. */
type Kept<Excuses> = Record<string, { excuses: Excuses; excusesOfMost?: Excuses }>
const ZONE_EXCUSES: Kept<ZoneExcuses> = { powerdns, cloudflare }
const SENDER_EXCUSES: Kept<SenderExcuses> = { azure }
const MAILBOX_EXCUSES: Kept<MailboxExcuses> = { mailcow }

const NO_QUESTIONS = 'The public DNS is not asked here: it may take its time.'
/** A service may look at the DNS rarely, and a person at a registrar's page needs time: half an hour. */
const PATIENCE: Patience = Array.from({ length: 200 }, (_, look) =>
  Math.min(20 * 1.5 ** look, 10_000),
)
const TIDYING_LIMIT_MS = 600_000
/** Records go within a minute: what a resolver remembers of one check must not spoil the next. */
const TTL_S = 60

const { values, positionals } = given()
const [account = '', name = ''] = positionals
if (positionals.length !== 2) stop(USAGE)
const accounts = await accountsOf(process.env.MAILSTEAD_ACCOUNTS)
const { driver, settings } = accountNamed(account)
const [zoneHost, sender, mailboxes] = [
  ZONE_HOSTS[driver],
  SENDERS[driver],
  MAILBOX_SERVICES[driver],
]
if (zoneHost) examineZoneHost(zoneHost)
else if (sender) await examineSender(sender)
else if (mailboxes) examineMailboxService(mailboxes)
else stop(`The account ${account} has a driver that there is none of: ${driver}.`)

function examineZoneHost(kind: DriverKind<ZoneDriver, unknown>): void {
  const opened = open(kind, account, settings)
  zoneDriverConformance(
    account,
    async () => {
      const claims = [claimAt(kind, settings), claimAt(kind, settings)] as const
      return {
        driver: opened,
        claim: claims[0],
        rival: claims[1],
        [Symbol.asyncDispose]: () =>
          tidied(claims, (each, until) => opened.removeZone(each, until)),
      }
    },
    {
      ...ZONE_EXCUSES[driver]?.excuses,
      ...(!values.all && ZONE_EXCUSES[driver]?.excusesOfMost),
      'the host’s own nameservers answer what was put, with authority': NO_QUESTIONS,
      'the host’s own nameservers answer a change, and nothing once the zone is removed':
        NO_QUESTIONS,
    },
  )
}

function examineMailboxService(kind: DriverKind<MailboxDriver, unknown>): void {
  // The suite makes more mailboxes than a domain has by default.
  const opened = open(kind, account, { ...settings, mailboxes: 200 })
  mailboxDriverConformance(
    account,
    async () => {
      const claims = [newClaim(), newClaim()] as const
      return {
        driver: opened,
        claim: claims[0],
        rival: claims[1],
        [Symbol.asyncDispose]: () =>
          tidied(claims, (each, until) => opened.removeDomain(each, until)),
      }
    },
    MAILBOX_EXCUSES[driver]?.excuses,
  )
}

async function examineSender(kind: DriverKind<SenderDriver, unknown>): Promise<void> {
  if (!values.zone) stop(`A sender looks at the DNS, so a zone host is needed.\n\n${USAGE}`)
  const opened = open(kind, account, settings)
  const publish = await publisherAt(values.zone)
  senderDriverConformance(
    account,
    async () => {
      const claims = [newClaim(), newClaim()] as const
      return {
        driver: opened,
        claim: claims[0],
        rival: claims[1],
        publish,
        silence: async () => undefined,
        patience: PATIENCE,
        async [Symbol.asyncDispose]() {
          await tidied(claims, (each, until) => opened.removeDomain(each, until))
          await publish([])
        },
      }
    },
    {
      ...SENDER_EXCUSES[driver]?.excuses,
      ...(!values.all && SENDER_EXCUSES[driver]?.excusesOfMost),
      'verifyDomain throws when it could not ask': 'A real service cannot be silenced.',
    },
  )
}

/** Makes the zone of the name, to be delegated by a person, and gives what shows records in it. */
async function publisherAt(host: string) {
  const at = accountNamed(host)
  const kind = ZONE_HOSTS[at.driver] ?? stop(`The account ${host} is no zone host.`)
  const zone = open(kind, host, at.settings)
  const claim = claimAt(kind, at.settings)
  const within = () => AbortSignal.timeout(TIDYING_LIMIT_MS)
  const unmade = (error: Error) => stop(`There is no zone to publish in: ${error.message}`)
  const { nameservers } = await zone.ensureZone(claim, within()).catch(unmade)
  after(() => zone.removeZone(claim, within()))
  await delegated(nameservers)
  let shown: readonly RRset[] = []
  return async (records: readonly NeededRecord[]): Promise<void> => {
    const wanted = rrsetsOf(records)
    const gone = shown.filter((each) => !wanted.some((put) => keyOf(put) === keyOf(each)))
    const drops = gone.map((each) => ({ drop: { name: each.name, type: each.type } }))
    await zone.changeZone(claim, [...drops, ...wanted.map((put) => ({ put }))], within())
    shown = wanted
  }
}

/** A host may name other nameservers for each zone it makes, so this cannot be done beforehand. */
async function delegated(nameservers: readonly string[]): Promise<void> {
  console.log(`Now have the registrar delegate ${name} to ${nameservers.join(' and ')}.`)
  if (!process.stdin.isTTY) return
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  await terminal.question('Press Enter when that is done. ')
  terminal.close()
}

function keyOf({ name: at, type }: RRset): string {
  return `${at} ${type}`
}

/** What is needed at one name by more than one purpose is one rrset. */
function rrsetsOf(records: readonly NeededRecord[]): RRset[] {
  const groups = Map.groupBy(records, keyOf)
  return [...groups.values()].map((group) => ({
    name: group[0]!.name,
    type: group[0]!.type,
    ttl: TTL_S,
    data: [...new Set(group.flatMap(({ data }) => data))],
  }))
}

function newClaim(nameserverZone = 'ns.example'): ClaimRef {
  const label = randomUUID().slice(0, 4)
  const nameservers = ['a', 'b'].map((each) => `${each}-${label}.${nameserverZone}`)
  return { claimId: randomUUID(), name, nameservers }
}

/** With nameservers that lead to the host, where it leaves their names to us. */
function claimAt(kind: DriverKind<ZoneDriver, unknown>, of: object): ClaimRef {
  return newClaim(kind.pool?.(kind.settings.parse(of)).zone)
}

async function tidied(
  claims: readonly ClaimRef[],
  remove: (claim: ClaimRef, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  for (const each of claims) await remove(each, AbortSignal.timeout(TIDYING_LIMIT_MS))
}

function open<Driver>(kind: DriverKind<Driver, unknown>, of: string, written: object): Driver {
  const read = kind.settings.safeParse(written)
  if (read.success) return kind.open(read.data, testTools())
  const wrong = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  return stop(`The account ${of} is not in order: ${wrong.join('; ')}.`)
}

function accountNamed(of: string) {
  const found = accounts[of]
  const known = Object.keys(accounts).join(', ') || 'none'
  if (!found) return stop(`There is no account ${of} in the file; there are ${known}.`)
  const { driver: kind, world: _world, sandbox: _sandbox, ...own } = found
  return { driver: String(kind), settings: own }
}

async function accountsOf(path: string | undefined) {
  if (!path) return stop(`MAILSTEAD_ACCOUNTS names no file.\n\n${USAGE}`)
  const text = await readFile(path, 'utf8').catch(() => stop(`${path} cannot be read.`))
  const shape = z.record(z.string(), z.record(z.string(), z.unknown()))
  try {
    return shape.parse(JSON.parse(text))
  } catch {
    // The parser's own words would quote the file.
    return stop(`${path} does not hold accounts by name, as JSON.`)
  }
}

function given() {
  const options = { zone: { type: 'string' }, all: { type: 'boolean' } } as const
  try {
    return parseArgs({ allowPositionals: true, options })
  } catch {
    return stop(USAGE)
  }
}

function stop(message: string): never {
  console.error(message)
  process.exit(2)
}
