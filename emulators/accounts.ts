/** An emulator as an account of the sandbox, as it appears in the file that MAILSTEAD_ACCOUNTS names. */
import type { AzureEmulator } from './azure/emulator.ts'
import type { CloudflareEmulator } from './cloudflare/emulator.ts'
import type { MailcowEmulator } from './mailcow/emulator.ts'

/** Only the driver's settings. */
export const azureSettings = ({ url, credentials }: AzureEmulator) => ({
  tenant_id: credentials.tenantId,
  client_id: credentials.clientId,
  client_secret: credentials.clientSecret,
  subscription: credentials.subscription,
  resource_group: credentials.resourceGroup,
  email_service: 'mailstead',
  communication_service: 'mailstead',
  data_location: 'Europe',
  management_url: url,
  login_url: url,
})

export const azureAccount = (emulator: AzureEmulator) => ({
  driver: 'azure',
  world: 'sandbox',
  ...azureSettings(emulator),
  sandbox: { records: emulator.records },
})

/** Only the driver's settings. */
export const cloudflareSettings = ({ apiUrl, accountId, apiToken }: CloudflareEmulator) => ({
  url: apiUrl,
  account_id: accountId,
  api_token: apiToken,
})

export const cloudflareAccount = (emulator: CloudflareEmulator) => ({
  driver: 'cloudflare',
  world: 'sandbox',
  ...cloudflareSettings(emulator),
  sandbox: {
    servers: [`${emulator.dns.address}:${emulator.dns.port}`],
    records: emulator.records,
  },
})

/** `mailHost` is the host name that the emulator was started with. */
export const mailcowAccount = ({ url, apiKey }: MailcowEmulator, mailHost: string) => ({
  driver: 'mailcow',
  world: 'sandbox',
  url,
  api_key: apiKey,
  mail_host: mailHost,
})
