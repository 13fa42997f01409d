import type { Refusal } from './domain-name.ts'

// RFC 5321 section 4.1.2, Dot-string. We refuse quoted localparts: valid, but hard to type.
const DOT_STRING = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/

/** Localparts reserved in every mail domain: those of RFC 2142, and the platform's own. */
const RESERVED = ['postmaster', 'abuse', 'hostmaster', 'mailer-daemon', 'dmarc', 'bounce']

export const isReserved = (localpart: string): boolean =>
  RESERVED.includes(localpart) || isReportsLocalpart(localpart)

const REPORTS = 'dmarc-'

/** Where DMARC reports go: hard to guess, so that no other mail arrives there. */
export const reportsLocalpart = ({ claimId }: { claimId: string }): string =>
  REPORTS + claimId.slice(-12)

export const isReportsLocalpart = (localpart: string): boolean => localpart.startsWith(REPORTS)

/** Parses the localpart of an inbox: in lower case, or the refusal. */
export function parseLocalpart(written: string): { localpart: string } | { refusal: Refusal } {
  // Lowercasing turns some other letters into ASCII (U+212A): check before.
  if (/[^\0-\x7f]/.test(written)) return refused('This is not a localpart.')
  const localpart = written.toLowerCase()
  // RFC 5321 section 4.5.3.1.1: 64 octets.
  if (localpart.length > 64) return refused('The localpart is longer than 64 octets.')
  if (!DOT_STRING.test(localpart)) return refused('This is not a localpart.')
  if (isReserved(localpart)) return refused('This address is reserved for the platform.')
  return { localpart }
}

const refused = (message: string) => ({ refusal: { type: 'value_error.email_prefix', message } })

/**
 * RFC 5321 section 4.5.3.1.3: a path has 256 octets, brackets included; some hosts accept a bit
 * less.
 */
export const PATH_LIMIT = 250

/** Splits `Local@Domain.` at its last @, in lower case. Undefined if a part is empty. */
export function splitAddress(address: string): { localpart: string; domain: string } | undefined {
  const at = address.lastIndexOf('@')
  if (at < 1 || at === address.length - 1) return undefined
  return {
    localpart: address.slice(0, at).toLowerCase(),
    domain: address
      .slice(at + 1)
      .toLowerCase()
      .replace(/\.$/, ''),
  }
}

/** The parts before and after the last @ of an address, in their original case. */
export const localpartOf = (address: string): string => address.slice(0, address.lastIndexOf('@'))
export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1)

/**
 * Whether the text is a Mailbox of RFC 5321 with a Dot-string and a host name of several labels.
 */
export function isAddress(written: string): boolean {
  const parts = splitAddress(written)
  if (parts === undefined || written.length > 254 || /[^\0-\x7f]|\.$/.test(written)) return false
  return (
    parts.localpart.length <= 64 &&
    DOT_STRING.test(parts.localpart) &&
    /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(parts.domain)
  )
}
