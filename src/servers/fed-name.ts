/** What is served for a name, as the database tells it and as it is kept in the log of zones. */
import type { ServedZone } from './dns/zone.ts'

export type FedName = { name: string; zone: ServedZone | undefined; waiting: readonly string[] }

/** Of no payload if nothing is served for the name, and nothing waits for a query. */
export type KeptName = { name: string; payload: Uint8Array | undefined }

/** What the payloads are. A log of others is begun anew, so another form of them needs another word here. */
export const PAYLOADS = Buffer.from('served-name json 1')

export function keptName({ name, zone, waiting }: FedName): KeptName {
  const isNothing = zone === undefined && waiting.length === 0
  return { name, payload: isNothing ? undefined : Buffer.from(JSON.stringify({ zone, waiting })) }
}

/** Throws at what `keptName` did not write. */
export function fedName({ name, payload }: KeptName): FedName {
  if (payload === undefined) return { name, zone: undefined, waiting: [] }
  const { zone, waiting } = JSON.parse(new TextDecoder().decode(payload))
  return { name, zone, waiting }
}
