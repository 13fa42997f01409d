/**
 * Prepares frequent statements: Postgres then parses and plans each once for a connection, which is most of
 * the work of a small query. Counting finds them.
 */
import type { PostgresPoolClient } from 'kysely'
import type { PoolClient } from 'pg'

const OFTEN = 20
/** Each takes memory at every connection. */
const PREPARED_AT_MOST = 100
const COUNTED_AT_MOST = 1000

export class Statements {
  readonly #uses = new Map<string, number>()
  /** Undefined for one that must not be prepared any more. */
  readonly #names = new Map<string, string | undefined>()

  /** Counts a use. Returns the name to prepare the text under; undefined for a rare one. */
  nameOf(text: string): string | undefined {
    if (this.#names.has(text)) return this.#names.get(text)
    if (this.#names.size >= PREPARED_AT_MOST) return undefined
    const uses = (this.#uses.get(text) ?? 0) + 1
    if (uses < OFTEN) {
      if (this.#uses.size >= COUNTED_AT_MOST) this.#uses.clear()
      this.#uses.set(text, uses)
      return undefined
    }
    this.#uses.delete(text)
    const name = `often_${this.#names.size}`
    this.#names.set(text, name)
    return name
  }

  forget(text: string): void {
    this.#names.set(text, undefined)
  }
}

/** The connection, with frequent statements prepared. */
export function preparing(client: PoolClient, statements: Statements): PostgresPoolClient {
  async function ask(text: string, values: readonly unknown[]) {
    const name = values.length > 0 ? statements.nameOf(text) : undefined
    if (name === undefined) return client.query(text, [...values])
    try {
      return await client.query({ name, text, values: [...values] })
    } catch (error) {
      if (!isStalePlan(error)) throw error
      statements.forget(text)
      return client.query(text, [...values]).catch((again) => {
        // In an aborted transaction every query fails; throw why it aborted.
        throw isAborted(again) ? error : again
      })
    }
  }
  // `never`: it takes no cursors, and nothing here uses any.
  return { query: ask as never, release: (destroy) => client.release(destroy) }
}

/** A newer release added a column, which a prepared `select *` cannot return. */
export const isStalePlan = (error: unknown): boolean =>
  hasCode(error, '0A000') && error.message.startsWith('cached plan')

const isAborted = (error: unknown): boolean => hasCode(error, '25P02')

const hasCode = (error: unknown, code: string): error is Error =>
  error instanceof Error && 'code' in error && error.code === code
