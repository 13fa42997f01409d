/** Services outside of the house, on loopback: a real PowerDNS, emulators of the rest, and their accounts. */
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Endpoint } from '#names/ip.ts'
import { azureAccount, cloudflareAccount, mailcowAccount } from '../emulators/accounts.ts'
import { type AzureEmulator, startAzureEmulator } from '../emulators/azure/emulator.ts'
import {
  type CloudflareEmulator,
  startCloudflareEmulator,
} from '../emulators/cloudflare/emulator.ts'
import { askServers } from '../emulators/dns.ts'
import { type MailcowEmulator, startMailcowEmulator } from '../emulators/mailcow/emulator.ts'
import { relayTo } from '../emulators/relay.ts'
import type { EmulatorServer } from '../emulators/server.ts'
import { temporaryDirectory } from './directories.ts'
import { type Pdns, startPdns, startPdnsDoor, withoutPdns } from './pdns.ts'

export type Outside = AsyncDisposable & {
  /** Undefined where it is not installed. */
  pdns: (Pdns & { door: EmulatorServer }) | undefined
  cloudflare: CloudflareEmulator
  azure: AzureEmulator
  mailcow: MailcowEmulator
  /** Another of each, where asked for: the accounts azure-east and mail-2. */
  second: Second | undefined
  /** The settings that tell a house of them. */
  settings: Record<string, string>
  /** Where the house answers questions and takes mail; to be called once it runs, and when it runs anew. */
  bind(house: { dns: string; smtp: string }): void
  /** What stands at any of them. */
  left(): Promise<Record<string, unknown>>
}

export type Second = { azure: AzureEmulator; mailcow: MailcowEmulator }

const MAILCOW_HOST = 'mail.mailcow.test'
const SECOND_MAILCOW_HOST = 'mail-2.mailcow.test'

/** What they hold when nobody has made anything. */
export const NOTHING_LEFT = {
  pdns: [],
  cloudflare: { zones: [], records: 0 },
  azure: { domains: [], linkedDomains: [], senders: [], suppressionLists: [] },
  mailcow: { domains: [], mailboxes: [], aliases: [], dkim: [], appPasswords: [], relayhosts: 0 },
}

/** The same where there are two of a kind. */
export const NOTHING_LEFT_AT_TWO = {
  ...NOTHING_LEFT,
  azureEast: NOTHING_LEFT.azure,
  mail2: NOTHING_LEFT.mailcow,
}

export type OutsideOptions = {
  sendsPerHour?: number
  senderUsernamesAllowed?: boolean
  /** Visitors are led by Cloudflare's rules, not by our own web server. */
  redirectRules?: boolean
  /** Whether a zone may lie below another's name; so that tests need not own names, it may. */
  subdomains?: boolean
  /** Whether there are two accounts at Azure and at Mailcow, each at a place of its own. */
  isDouble?: boolean
}

export async function startOutside({
  redirectRules = false,
  subdomains = true,
  isDouble = false,
  ...options
}: OutsideOptions = {}): Promise<Outside> {
  await using opened = new AsyncDisposableStack()
  const directory = opened.use(await temporaryDirectory())
  const bound: { dns: Endpoint[]; smtp: Endpoint | undefined } = { dns: [], smtp: undefined }
  const pdns = withoutPdns ? undefined : await openPdns(opened)
  const cloudflare = opened.use(
    await startCloudflareEmulator({
      dnsAddress: '127.0.0.54',
      nameserverZone: 'ns.cloudflare.test',
      subdomains,
      requestsPerFiveMinutes: 0,
    }),
  )
  const others = [...(pdns ? [pdns.dns] : []), cloudflare.dns]
  const startAzure = async (zone: string) =>
    opened.use(
      await startAzureEmulator({
        ask: askServers(() => [...bound.dns, ...others]),
        deliver: relayTo(() => bound.smtp!),
        dkimZone: zone,
        spfInclude: `spf.${zone}`,
        sendsPerMinute: 0,
        sendsPerHour: 0,
        ...options,
      }),
    )
  const startMailcow = async (hostname: string) =>
    opened.use(await startMailcowEmulator({ hostname }))
  const azure = await startAzure('azurecomm.test')
  const mailcow = await startMailcow(MAILCOW_HOST)
  const second = isDouble
    ? {
        azure: await startAzure('azurecomm-east.test'),
        mailcow: await startMailcow(SECOND_MAILCOW_HOST),
      }
    : undefined
  const file = join(directory.path, 'accounts.json')
  await writeFile(
    file,
    JSON.stringify(accountsOf({ pdns, cloudflare, azure, mailcow, second }, redirectRules)),
  )
  await chmod(file, 0o600)
  const closing = opened.move()
  return {
    pdns,
    cloudflare,
    azure,
    mailcow,
    second,
    settings: { MAILSTEAD_ACCOUNTS: file },
    bind({ dns, smtp }) {
      bound.dns = [endpointOf(dns)]
      bound.smtp = endpointOf(smtp)
    },
    async left() {
      return {
        pdns: (await pdns?.zones()) ?? [],
        cloudflare: cloudflare.holdings(),
        azure: azure.holdings(),
        mailcow: mailcow.holdings(),
        ...(second && { azureEast: second.azure.holdings(), mail2: second.mailcow.holdings() }),
      }
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

async function openPdns(opened: AsyncDisposableStack) {
  const pdns = opened.use(await startPdns('127.0.0.53'))
  return { ...pdns, door: opened.use(await startPdnsDoor(pdns)) }
}

type Services = Pick<Outside, 'pdns' | 'cloudflare' | 'azure' | 'mailcow' | 'second'>

const accountsOf = (
  { pdns, cloudflare, azure, mailcow, second }: Services,
  redirectRules: boolean,
) => ({
  ...(pdns && {
    pdns: {
      driver: 'powerdns',
      world: 'sandbox',
      url: pdns.door.url,
      api_key: pdns.apiKey,
      nameserver_zone: 'ns.powerdns.test',
      nameserver_addresses: [pdns.dns.address],
      sandbox: { servers: [written(pdns.dns)] },
    },
  }),
  cf: { ...cloudflareAccount(cloudflare), redirect_rules: redirectRules },
  'azure-west': hurried(azure),
  'mail-1': mailcowAccount(mailcow, MAILCOW_HOST),
  ...(second && {
    'azure-east': hurried(second.azure),
    'mail-2': mailcowAccount(second.mailcow, SECOND_MAILCOW_HOST),
  }),
})

const hurried = (emulator: AzureEmulator) => ({
  ...azureAccount(emulator),
  event_secret: 'canary-event-secret-4711-abcdef',
  check_again_seconds: 0.1,
  check_stuck_seconds: 1,
})

const written = ({ address, port }: Endpoint): string => `${address}:${port}`

function endpointOf(text: string): Endpoint {
  const [address, port] = text.split(':')
  return { address: address!, port: Number(port) }
}
