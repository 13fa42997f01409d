/**
 * The members of a catalog: a label for each name. There may be a million, so versions share memory:
 * members lie in shards, and a shard that a version uses is copied before it changes.
 */

const SHARDS = 2 ** 14

export type MembersVersion = Iterable<readonly [name: string, memberId: string]>

export class Members {
  readonly #shards: (Map<string, string> | undefined)[] = new Array(SHARDS).fill(undefined)
  /** 1 where a version uses the shard. */
  readonly #isShared = new Uint8Array(SHARDS)
  #size = 0

  get size(): number {
    return this.#size
  }

  get(name: string): string | undefined {
    return this.#shards[shardOf(name)]?.get(name)
  }

  set(name: string, memberId: string): void {
    const shard = this.#own(shardOf(name))
    this.#size += shard.has(name) ? 0 : 1
    shard.set(name, memberId)
  }

  delete(name: string): void {
    if (this.get(name) !== undefined && this.#own(shardOf(name)).delete(name)) this.#size--
  }

  /** The present members, unaffected by later changes. */
  version(): MembersVersion {
    this.#isShared.fill(1)
    return entriesOf([...this.#shards])
  }

  /** The names, which must not change meanwhile. */
  *names(): Generator<string> {
    for (const shard of this.#shards) if (shard) yield* shard.keys()
  }

  #own(number: number): Map<string, string> {
    const shard = this.#shards[number]
    if (shard && this.#isShared[number] === 0) return shard
    const own = new Map(shard)
    this.#shards[number] = own
    this.#isShared[number] = 0
    return own
  }
}

function* entriesOf(shards: readonly (Map<string, string> | undefined)[]) {
  for (const shard of shards) if (shard) yield* shard
}

function shardOf(name: string): number {
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 15)) & (SHARDS - 1)
}
