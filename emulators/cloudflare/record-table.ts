/** A zone's records during a change: all operations of a request apply, or none. */
import { Refused } from './answers.ts'
import { octetsOf } from './content.ts'
import type { Given } from './given.ts'
import { draftOf, givenOf } from './record.ts'
import { type Draft, type HeldRecord, type HeldZone, newId, type World } from './world.ts'

const MAX_CONTENT_TOGETHER = 8192

export class RecordTable {
  readonly #world: World
  readonly #zone: HeldZone
  readonly #records: Map<string, HeldRecord>

  constructor(world: World, zone: HeldZone) {
    this.#world = world
    this.#zone = zone
    this.#records = new Map(zone.records)
  }

  get(id: unknown): HeldRecord {
    const record = typeof id === 'string' ? this.#records.get(id) : undefined
    if (record === undefined) throw new Refused('record_absent')
    return record
  }

  add(given: Given): HeldRecord {
    if (this.#records.size >= this.#world.limits.recordsPerZone) throw new Refused('record_quota')
    const now = this.#world.now().toISOString()
    return this.#put({ ...this.#draft(given), id: newId(), createdOn: now, modifiedOn: now })
  }

  patch(id: unknown, given: Given): HeldRecord {
    return this.overwrite(id, { ...givenOf(this.get(id)), ...given })
  }

  overwrite(id: unknown, given: Given): HeldRecord {
    const { id: known, createdOn } = this.get(id)
    const modifiedOn = this.#world.now().toISOString()
    return this.#put({ ...this.#draft(given), id: known, createdOn, modifiedOn })
  }

  remove(id: unknown): HeldRecord {
    const record = this.get(id)
    this.#records.delete(record.id)
    return record
  }

  /** Stores the records in the zone, and publishes it. */
  commit(): void {
    this.#zone.records = this.#records
    this.#zone.serial += 1
    this.#world.publish(this.#zone)
  }

  #draft(given: Given): Draft {
    return draftOf(given, this.#zone.name, this.#world.limits.tagsPerRecord)
  }

  #put(record: HeldRecord): HeldRecord {
    const beside = [...this.#records.values()].filter(
      ({ id, name }) => name === record.name && id !== record.id,
    )
    refuseConflict(record, beside)
    this.#records.set(record.id, record)
    return record
  }
}

const isAddress = ({ type }: Draft): boolean => type === 'A' || type === 'AAAA'
const isDelegation = ({ type }: Draft): boolean => type === 'NS'
const isAlias = ({ type }: Draft): boolean => type === 'CNAME'

/** This API allows other types beside a CNAME, though the DNS does not. */
function refuseConflict(record: Draft, beside: readonly Draft[]): void {
  const sameType = beside.filter(({ type }) => type === record.type)
  const twin = sameType.find((other) => isSame(other, record))
  if (twin) throw new Refused(isIdentical(twin, record) ? 'record_identical' : 'record_exists')
  if (isAlias(record) && beside.some((other) => isAlias(other) || isAddress(other))) {
    throw new Refused('cname_beside_address')
  }
  if (isAddress(record) && beside.some(isAlias)) throw new Refused('address_beside_cname')
  if (beside.some((other) => isDelegation(other) !== isDelegation(record))) {
    throw new Refused('ns_beside_others')
  }
  const together = [record, ...sameType].reduce((sum, { content }) => sum + content.length, 0)
  if (together > MAX_CONTENT_TOGETHER) throw new Refused('content_too_long', record.type)
}

const isSame = (a: Draft, b: Draft): boolean => octetsOf(a.type, a).equals(octetsOf(b.type, b))

/** Which of the two codes belongs to which case is our guess; people report both for existing records. */
const isIdentical = (a: Draft, b: Draft): boolean => a.ttl === b.ttl && a.proxied === b.proxied
