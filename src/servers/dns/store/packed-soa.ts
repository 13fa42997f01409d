/**
 * The SOA of our zones repeats their first nameserver and their apex. It is stored without the two, and
 * expanded for each answer:
 *
 *   octets of the rdata u16 · serial u32 · minimum u32
 */

const RNAME_LABEL = Buffer.from('\x0ahostmaster', 'latin1')
/** In seconds. */
const [REFRESH, RETRY, EXPIRE] = [14_400, 3600, 1_209_600]
const NUMBERS_OCTETS = 20
const TIMES = Buffer.alloc(12)
TIMES.writeUInt32BE(REFRESH, 0)
TIMES.writeUInt32BE(RETRY, 4)
TIMES.writeUInt32BE(EXPIRE, 8)

/** The fields of an SOA in presentation form. */
export const soaOf = (zone: {
  mname: string
  apex: string
  serial: number
  minimum: number
}): string => {
  const rname = zone.apex === '.' ? 'hostmaster.' : `hostmaster.${zone.apex}`
  return `${zone.mname} ${rname} ${zone.serial} ${REFRESH} ${RETRY} ${EXPIRE} ${zone.minimum}`
}

/** The packed form; undefined where unpacking would not give the same octets. */
export function packSoa(rdata: Buffer, mname: Uint8Array, apex: Uint8Array): Buffer | undefined {
  if (mname.length + RNAME_LABEL.length + apex.length + NUMBERS_OCTETS !== rdata.length)
    return undefined
  const packed = Buffer.alloc(10)
  packed.writeUInt16BE(rdata.length, 0)
  rdata.copy(packed, 2, rdata.length - NUMBERS_OCTETS, rdata.length - NUMBERS_OCTETS + 4)
  rdata.copy(packed, 6, rdata.length - 4)
  const both = Buffer.concat([mname, apex, packed])
  const unpacked = Buffer.alloc(rdata.length)
  const at = { mname: 0, apex: mname.length, packed: mname.length + apex.length }
  unpackSoa(both, at.packed, at.mname, mname.length, at.apex, apex.length, unpacked, 0)
  return unpacked.equals(rdata) ? packed : undefined
}

/** Expands the packed form with the mname and the apex, which lie in the same memory. */
export function unpackSoa(
  bytes: Uint8Array,
  packed: number,
  mname: number,
  mnameLength: number,
  apex: number,
  apexLength: number,
  into: Uint8Array,
  intoAt: number,
): void {
  let at = intoAt
  for (let i = 0; i < mnameLength; i++) into[at++] = bytes[mname + i]!
  for (let i = 0; i < RNAME_LABEL.length; i++) into[at++] = RNAME_LABEL[i]!
  for (let i = 0; i < apexLength; i++) into[at++] = bytes[apex + i]!
  for (let i = 2; i < 6; i++) into[at++] = bytes[packed + i]!
  for (let i = 0; i < TIMES.length; i++) into[at++] = TIMES[i]!
  for (let i = 6; i < 10; i++) into[at++] = bytes[packed + i]!
}
