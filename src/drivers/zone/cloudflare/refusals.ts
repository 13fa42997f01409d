/** Cloudflare's error codes that we distinguish. */
import { DriverError, type DriverErrorKind } from '../../errors.ts'

// biome-ignore format: a table
const KINDS: Record<number, DriverErrorKind> = {
  // The path is unknown, so this says nothing about the object.
  7000: 'unavailable', 7003: 'unavailable',
  // It exists, or excludes another: someone else wrote, or another account has the zone.
  1061: 'conflict', 81053: 'conflict', 81054: 'conflict', 81057: 'conflict', 81058: 'conflict',
}

const SENTENCES: Record<number, string> = {
  1061: 'it has the zone already, perhaps in another account',
  1097: 'it does not take this name',
  1116: 'it takes a subdomain as a zone of its own in Enterprise accounts only',
}

export const isNoRoute = (code: number): boolean => code === 7000 || code === 7003

export function refusalOf(errors: readonly { code: number; message: string }[]): DriverError {
  if (errors.length === 0) {
    return new DriverError('unavailable', 'Cloudflare refuses: it does not say why.')
  }
  const kind = errors.map(({ code }) => KINDS[code]).find(Boolean) ?? 'rejected'
  const said = errors.map(
    ({ code, message }) => SENTENCES[code] ?? `${message.slice(0, 160)} (${code})`,
  )
  return new DriverError(kind, `Cloudflare refuses: ${said.join('; ')}.`)
}
