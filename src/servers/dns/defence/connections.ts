/**
 * Limits TCP connections. When all places are taken, the prefix with the most connections loses one, the
 * longest idle first. So a client with many connections displaces only its own, and resolvers that share
 * a prefix are not limited while there is room.
 */
import { Remote } from './remote.ts'

const SEED = { start: 0x2c9277b5, multiplier: 0x5f356495 }

export type Connection = {
  /** Since when it has waited for a query, in milliseconds; undefined while one is being answered. */
  idleSince: number | undefined
  close(): void
}

export class Connections<C extends Connection> {
  readonly #max: number
  readonly #byPrefix = new Map<number, Set<C>>()
  readonly #prefixes = new Map<C, number>()
  readonly #remote = new Remote()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#prefixes.size
  }

  /** Adds a connection, closing another one if needed; false if the caller must close this one. */
  add(connection: C, address: string): boolean {
    this.#remote.setText(address)
    const prefix = this.#remote.prefixHash(SEED)
    if (this.#prefixes.size >= this.#max && !this.#makeRoomFor(prefix)) return false
    this.#prefixes.set(connection, prefix)
    const same = this.#byPrefix.get(prefix)
    if (same) same.add(connection)
    else this.#byPrefix.set(prefix, new Set([connection]))
    return true
  }

  delete(connection: C): void {
    const prefix = this.#prefixes.get(connection)
    if (prefix === undefined) return
    this.#prefixes.delete(connection)
    const same = this.#byPrefix.get(prefix)!
    same.delete(connection)
    if (same.size === 0) this.#byPrefix.delete(prefix)
  }

  closeAll(): void {
    for (const connection of this.#prefixes.keys()) connection.close()
  }

  /** False when the newcomer's own prefix has the most, and none of those connections is idle. */
  #makeRoomFor(prefix: number): boolean {
    const [most, connections] = [...this.#byPrefix].reduce((a, b) =>
      b[1].size > a[1].size ? b : a,
    )
    const yielding =
      this.#idleLongest(connections) ?? this.#oldestAtWork(connections, most === prefix)
    if (yielding === undefined) return false
    this.delete(yielding)
    yielding.close()
    return true
  }

  #idleLongest(connections: ReadonlySet<C>): C | undefined {
    const idle = [...connections].filter(({ idleSince }) => idleSince !== undefined)
    return idle.toSorted((a, b) => a.idleSince! - b.idleSince!)[0]
  }

  /** Sets keep insertion order. */
  #oldestAtWork(connections: ReadonlySet<C>, isOfNewcomer: boolean): C | undefined {
    return isOfNewcomer ? undefined : connections.values().next().value
  }
}
