/** Serials of 32 bits, as secondaries compare them (RFC 1982). */

/** How many versions `ours` is ahead of `theirs`; undefined where they are level or ahead of us. */
export function behindBy(ours: number, theirs: number): number | undefined {
  const distance = (ours - theirs) >>> 0
  // RFC 1982 section 3.2: of two serials half the circle apart, neither is the greater.
  return distance === 0 || distance >= 2 ** 31 ? undefined : distance
}

const NUMBERS_OCTETS = 20

/** RFC 1035 section 3.3.13: the serial is the first of the five numbers that end the rdata of an SOA. */
export function serialOf(rdata: Buffer): number {
  return rdata.readUInt32BE(rdata.length - NUMBERS_OCTETS)
}
