/**
 * Which of our zones lie below which. A change to an enclosing zone may change whether the zones below
 * it answer for themselves, so they are checked again.
 */
import { parentOf, suffixesOf } from '#dns/name.ts'

export class Apexes {
  readonly #all = new Set<string>()
  readonly #below = new Map<string, Set<string>>()

  get all(): Iterable<string> {
    return this.#all
  }

  /** Adds an apex (absolute, lowercase); returns it with all apexes below it. */
  add(apex: string): readonly string[] {
    if (!this.#all.has(apex)) {
      this.#all.add(apex)
      for (const suffix of enclosing(apex)) this.#under(suffix).add(apex)
    }
    return [apex, ...this.#lyingBelow(apex)]
  }

  /** Removes an apex; returns it with all apexes below it. */
  delete(apex: string): readonly string[] {
    this.#all.delete(apex)
    for (const suffix of enclosing(apex)) {
      const below = this.#below.get(suffix)
      below?.delete(apex)
      if (below?.size === 0) this.#below.delete(suffix)
    }
    return [apex, ...this.#lyingBelow(apex)]
  }

  #under(suffix: string): Set<string> {
    const below = this.#below.get(suffix) ?? new Set()
    this.#below.set(suffix, below)
    return below
  }

  /** Searches for apexes below the root or a TLD: a set of them would hold nearly all there are. */
  #lyingBelow(apex: string): Iterable<string> {
    if (!isShort(apex)) return this.#below.get(apex) ?? []
    return [...this.#all].filter((each) => each !== apex && suffixesOf(each).includes(apex))
  }
}

const isShort = (name: string): boolean => name === '.' || parentOf(name) === '.'

const enclosing = (apex: string): string[] =>
  suffixesOf(apex)
    .slice(1)
    .filter((suffix) => !isShort(suffix))
