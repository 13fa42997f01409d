/** Serials of 32 bits, as secondaries compare them (RFC 1982). */

/** How many versions `ours` is ahead of `theirs`; undefined where it is not ahead. */
export function behindBy(ours: number, theirs: number): number | undefined {
  const distance = (ours - theirs) >>> 0
  // RFC 1982 section 3.2: of serials 2^31 apart, neither is the greater.
  return distance === 0 || distance >= 2 ** 31 ? undefined : distance
}

const NUMBERS_OCTETS = 20

/** RFC 1035 section 3.3.13: the serial is the first of the five numbers at the end of an SOA's rdata. */
export function serialOf(rdata: Buffer): number {
  return rdata.readUInt32BE(rdata.length - NUMBERS_OCTETS)
}
