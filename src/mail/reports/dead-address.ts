/** Which permanent failures say that an address takes no mail. Pure. */

// RFC 3463 sections 3.2 and 3.3, RFC 7505 and the IANA registry: X.1.1 bad mailbox, X.1.2 bad domain, X.1.3 bad
// syntax, X.1.6 moved without a new address, X.1.10 a null MX, X.2.1 a disabled mailbox.
const DEAD = /(?:^|[\s-])5\.(?:1\.(?:1|2|3|6|10)|2\.1)(?![\d.])/

/**
 * Whether a reply means that no mail will ever arrive at the address. Other refusals are about this message, its sender or
 * a moment: a full mailbox, a policy, a block list.
 */
export const isDeadAddress = (reply: string): boolean => DEAD.test(reply.slice(0, 200))
