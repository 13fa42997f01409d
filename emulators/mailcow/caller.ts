/** A client of the emulator; for tests. */
import { type MailcowEmulator, startMailcowEmulator } from './emulator.ts'

type Entry = { type: string; log: unknown[]; msg: unknown }
export type Sent = { key?: string | null; method?: string; type?: string | null; raw?: string }

/** One emulator, and one caller with the right key. */
export async function open(options: Parameters<typeof startMailcowEmulator>[0] = {}) {
  const mailcow = await startMailcowEmulator(options)
  return { mailcow, ...callerOf(mailcow), [Symbol.asyncDispose]: mailcow[Symbol.asyncDispose] }
}

function callerOf(mailcow: MailcowEmulator) {
  async function send(path: string, body?: unknown, sent: Sent = {}) {
    const { key = mailcow.apiKey, type = 'application/json', raw } = sent
    const payload = raw ?? (body === undefined ? null : JSON.stringify(body))
    const response = await fetch(`${mailcow.url}/api/v1/${path}`, {
      method: sent.method ?? (payload === null ? 'GET' : 'POST'),
      headers: {
        ...(key === null ? {} : { 'x-api-key': key }),
        ...(type === null || payload === null ? {} : { 'content-type': type }),
      },
      body: payload,
    })
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
  const json = async (path: string, body?: unknown, sent?: Sent) =>
    JSON.parse((await send(path, body, sent)).text)
  /** The entries of a write, each as type and message. */
  async function write(path: string, body: unknown): Promise<[string, unknown][]> {
    const entries: Entry[] = await json(path, body)
    return entries.map(({ type, msg }) => [type, msg])
  }
  return { send, json, get: (path: string) => json(`get/${path}`), write }
}

export const DOMAIN = { domain: 'ex.test', defquota: 100, maxquota: 500, quota: 1000 }
export const PASSWORD = { password: 'Corr3ct-Horse!', password2: 'Corr3ct-Horse!' }
export const mailbox = (localpart: string, more: object = {}) => ({
  ...{ local_part: localpart, domain: 'ex.test', quota: 100, ...PASSWORD },
  ...more,
})

export const appPassword = (username: string, more: object = {}) => ({
  ...{ username, app_name: 'cp', active: 1, protocols: ['imap_access'] },
  ...{ app_passwd: PASSWORD.password, app_passwd2: PASSWORD.password },
  ...more,
})
