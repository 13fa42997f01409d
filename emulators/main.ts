/** `npm run emulate -- azure|mailcow|cloudflare`: starts an emulator for the sandbox. */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { type Endpoint, parseEndpoint } from '#names/ip.ts'
import { azureAccount, cloudflareAccount, mailcowAccount } from './accounts.ts'
import { type Acts, azureActs, cloudflareActs, mailcowActs } from './acts.ts'
import { startAzureEmulator } from './azure/emulator.ts'
import { startCloudflareEmulator } from './cloudflare/emulator.ts'
import { askServers } from './dns.ts'
import { startMailcowEmulator } from './mailcow/emulator.ts'
import { relayTo } from './relay.ts'
import type { EmulatorServer } from './server.ts'

const USAGE = `Usage: npm run emulate -- azure|mailcow|cloudflare [--port N] [--dns IP:PORT,…] [--smtp IP:PORT]

  --port   where its API listens; a free port without it
  --dns    azure: the nameservers it asks before it verifies (127.0.0.1:5300)
  --smtp   azure: where it delivers what is sent (127.0.0.1:2525)`

const { values, positionals } = given()
const port = Number(values.port)
const MAILCOW_HOST = 'mail.mailcow.test'

/** `account` is its entry in the accounts file. */
type Started = { emulator: EmulatorServer; account: object; acts: Acts }

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
  const event_secret = randomBytes(18).toString('hex')
  const account = { ...azureAccount(emulator), event_secret, check_again_seconds: 1 }
  return { emulator, account, acts: azureActs(emulator) }
}

async function mailcow(): Promise<Started> {
  const emulator = await startMailcowEmulator({ port, hostname: MAILCOW_HOST })
  const account = mailcowAccount(emulator, MAILCOW_HOST)
  return { emulator, account, acts: mailcowActs(emulator) }
}

async function cloudflare(): Promise<Started> {
  const emulator = await startCloudflareEmulator({
    port,
    dnsAddress: '127.0.0.54',
    nameserverZone: 'ns.cloudflare.test',
    subdomains: true,
  })
  return { emulator, account: cloudflareAccount(emulator), acts: cloudflareActs(emulator) }
}

function given() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        port: { type: 'string', default: '0' },
        dns: { type: 'string', default: '127.0.0.1:5300' },
        smtp: { type: 'string', default: '127.0.0.1:2525' },
      },
    })
  } catch {
    return stop(USAGE)
  }
}

function endpoint(written: string): Endpoint {
  return parseEndpoint(written, 53) ?? stop(`${written} is not an address with a port.`)
}

function stop(message: string): never {
  console.error(message)
  process.exit(2)
}

const EMULATORS: Record<string, () => Promise<Started>> = { azure, mailcow, cloudflare }
const [name = ''] = positionals
const start = Object.hasOwn(EMULATORS, name) ? EMULATORS[name]! : stop(USAGE)
if (positionals.length > 1 || !(port >= 0 && port < 65_536)) stop(USAGE)
const { emulator, account, acts } = await start()
await using running = emulator
running.offer(acts)
console.log(`The ${name} emulator is ready: ${running.url}
Faults: POST ${running.url}/emulator/faults {"kind":"throttled","times":3}, DELETE to end them.
Acts: POST ${running.url}/emulator/acts {"act":"revoke"}, one of ${Object.keys(acts).join(', ')}.
Its account, for the file that MAILSTEAD_ACCOUNTS names:
${JSON.stringify({ [`${name}-emulator`]: account }, null, 2)}`)
await new Promise((resolve) => {
  process.once('SIGINT', resolve)
  process.once('SIGTERM', resolve)
})
