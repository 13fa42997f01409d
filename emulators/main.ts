/** `npm run emulate -- azure|mailcow|cloudflare`: an emulator to point the sandbox at. */
import { parseArgs } from 'node:util'
import { type Endpoint, parseEndpoint } from '#names/ip.ts'
import { azureAccount, cloudflareAccount, mailcowAccount } from './accounts.ts'
import { startAzureEmulator } from './azure/emulator.ts'
import { startCloudflareEmulator } from './cloudflare/emulator.ts'
import { askServers } from './dns.ts'
import { startMailcowEmulator } from './mailcow/emulator.ts'
import { relayTo } from './relay.ts'

const USAGE = `Usage: npm run emulate -- azure|mailcow|cloudflare [--port N] [--dns IP:PORT,…] [--smtp IP:PORT]

  --port   where its API listens; a free port without it
  --dns    azure: the nameservers it asks before it verifies (127.0.0.1:5300)
  --smtp   azure: where it delivers what is sent (127.0.0.1:2525)`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '0' },
    dns: { type: 'string', default: '127.0.0.1:5300' },
    smtp: { type: 'string', default: '127.0.0.1:2525' },
  },
})
const port = Number(values.port)
const MAILCOW_HOST = 'mail.mailcow.test'

/** What belongs into the accounts file; the same for every emulator that is run by hand. */
type Started = { account: object; url: string } & AsyncDisposable

async function azure(): Promise<Started> {
  const servers = values.dns.split(',').map(endpoint)
  const smtp = endpoint(values.smtp)
  const emulator = await startAzureEmulator({
    port,
    ask: askServers(() => servers),
    deliver: relayTo(() => smtp),
    dkimZone: 'azurecomm.test',
    spfInclude: 'spf.azurecomm.test',
  })
  return started(emulator, { ...azureAccount(emulator), check_again_seconds: 1 })
}

async function mailcow(): Promise<Started> {
  const emulator = await startMailcowEmulator({ port, hostname: MAILCOW_HOST })
  return started(emulator, mailcowAccount(emulator, MAILCOW_HOST))
}

async function cloudflare(): Promise<Started> {
  const emulator = await startCloudflareEmulator({
    port,
    dnsAddress: '127.0.0.54',
    nameserverZone: 'ns.cloudflare.test',
    subdomains: true,
  })
  return started(emulator, cloudflareAccount(emulator))
}

function started(emulator: AsyncDisposable & { url: string }, account: object): Started {
  return {
    url: emulator.url,
    account,
    [Symbol.asyncDispose]: async () => emulator[Symbol.asyncDispose](),
  }
}

function endpoint(written: string): Endpoint {
  const parsed = parseEndpoint(written, 53)
  if (parsed) return parsed
  console.error(`${written} is not an address with a port.`)
  return process.exit(2)
}

const EMULATORS: Record<string, () => Promise<Started>> = { azure, mailcow, cloudflare }
const [name = ''] = positionals
const start = EMULATORS[name]
if (!start || positionals.length > 1 || !(port >= 0 && port < 65_536)) {
  console.error(USAGE)
  process.exit(2)
}
await using running = await start()
console.log(`The ${name} emulator is ready: ${running.url}
Faults: POST ${running.url}/emulator/faults {"kind":"throttled","times":3}, DELETE to end them.
Its account, for the file that MAILSTEAD_ACCOUNTS names:
${JSON.stringify({ [`${name}-emulator`]: running.account }, null, 2)}`)
await new Promise((resolve) => {
  process.once('SIGINT', resolve)
  process.once('SIGTERM', resolve)
})
