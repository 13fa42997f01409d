/** Speaks to the emulated Cloudflare as a stranger would: with its token, and nothing of ours between. */
import type { CloudflareEmulator } from '../emulators/cloudflare/emulator.ts'
import type { Json } from './client.ts'

/** Gives what was answered as `result`. */
export const callsTo =
  ({ apiUrl, apiToken }: CloudflareEmulator) =>
  async (method: string, path: string, body?: object): Promise<Json> => {
    const headers = { authorization: `Bearer ${apiToken}`, 'content-type': 'application/json' }
    const init = { method, headers, body: body ? JSON.stringify(body) : null }
    const said = (await (await fetch(`${apiUrl}${path}`, init)).json()) as Json
    return said.result
  }
