import { PATH_LIMIT } from '#names/localpart.ts'
import type { QueuedMail } from './mail.ts'

/**
 * Where a message comes back to that could not be delivered: an address of its own, so that whatever report comes
 * there is known to be about it. It lies below the domain, in alignment with it (RFC 9989).
 */
export const bounceDomain = (domain: string): string => `bounce.${domain}`

const ID_LENGTH = 32

/** The domain whose bounces come to this one; undefined where it is not named so. */
export const bounceParent = (domain: string): string | undefined =>
  domain.startsWith('bounce.') ? domain.slice('bounce.'.length) : undefined

/** Whether every bounce address of the domain can be written. */
export const hasBounceAddresses = (domain: string): boolean =>
  `b+@${bounceDomain(domain)}`.length + ID_LENGTH <= PATH_LIMIT

/** Where the message comes back to if it cannot be delivered. */
export const envelopeSenderOf = ({
  id,
  author,
  claim: { name },
  bouncesArrive,
}: QueuedMail): string => (bouncesArrive ? bounceAddress(id, name) : `${author}@${name}`)

/** `id` is the message's, a UUID. */
const bounceAddress = (id: string, domain: string): string =>
  `b+${id.replaceAll('-', '')}@${bounceDomain(domain)}`

/** What an address would be the bounce address of; undefined where it has not the form of one. */
export function readBounceAddress(address: string): { id: string; domain: string } | undefined {
  const [, hex, host] = /^b\+([0-9a-f]{32})@(.+)$/.exec(address.toLowerCase()) ?? []
  const domain = host && bounceParent(host)
  if (hex === undefined || !domain) return undefined
  return { id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'), domain }
}
