import { PATH_LIMIT } from '#names/localpart.ts'
import type { QueuedMail } from './mail.ts'

/**
 * The domain of bounce addresses. Each message has its own bounce address, which identifies the
 * message in every report. The domain is below the author's domain, and so aligned with it (RFC
 * 9989).
 */
export const bounceDomain = (domain: string): string => `bounce.${domain}`

const ID_LENGTH = 32

/** The author's domain of a bounce domain; undefined for any other name. */
export const bounceParent = (domain: string): string | undefined =>
  domain.startsWith('bounce.') ? domain.slice('bounce.'.length) : undefined

/** Whether all bounce addresses of the domain fit the length limits. */
export const hasBounceAddresses = (domain: string): boolean =>
  `b+@${bounceDomain(domain)}`.length + ID_LENGTH <= PATH_LIMIT

/**
 * The envelope sender of the message: its bounce address, or its author if bounces cannot arrive.
 */
export const envelopeSenderOf = ({
  id,
  author,
  claim: { name },
  bouncesArrive,
}: QueuedMail): string => (bouncesArrive ? bounceAddress(id, name) : `${author}@${name}`)

/** `id` is the message's, a UUID. */
const bounceAddress = (id: string, domain: string): string =>
  `b+${id.replaceAll('-', '')}@${bounceDomain(domain)}`

/** The message id and domain of a bounce address; undefined for any other address. */
export function readBounceAddress(address: string): { id: string; domain: string } | undefined {
  const [, hex, host] = /^b\+([0-9a-f]{32})@(.+)$/.exec(address.toLowerCase()) ?? []
  const domain = host && bounceParent(host)
  if (hex === undefined || !domain) return undefined
  return { id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'), domain }
}
