/** Speaks to the emulated Cloudflare as a stranger would: with its token, and nothing of ours between. */
import type { CloudflareEmulator } from '../emulators/cloudflare/emulator.ts'
import type { Json } from './client.ts'

type Account = Pick<CloudflareEmulator, 'apiUrl' | 'apiToken' | 'accountId'>

/** Gives what was answered as `result`; throws what was refused. */
export const callsTo =
  ({ apiUrl, apiToken }: Pick<Account, 'apiUrl' | 'apiToken'>) =>
  async (method: string, path: string, body?: object): Promise<Json> => {
    const headers = { authorization: `Bearer ${apiToken}`, 'content-type': 'application/json' }
    const init = { method, headers, body: body ? JSON.stringify(body) : null }
    const said = (await (await fetch(`${apiUrl}${path}`, init)).json()) as Json
    if (!said.success) throw new Error(JSON.stringify(said.errors))
    return said.result
  }

export type MadeZone = {
  id: string
  nameservers: string[]
  /** Of the records, in their order. */
  recordIds: string[]
}

export async function makeZone(
  account: Account,
  name: string,
  records: readonly object[],
): Promise<MadeZone> {
  const call = callsTo(account)
  const whole = { account: { id: account.accountId }, name, type: 'full' }
  const { id, name_servers } = await call('POST', '/zones', whole)
  const recordIds: string[] = []
  for (const record of records) {
    recordIds.push((await call('POST', `/zones/${id}/dns_records`, record)).id)
  }
  return { id, nameservers: name_servers, recordIds }
}
