/**
 * Statements that are asked again and again are prepared: Postgres then parses and plans each once for a
 * connection, which of a small question is most of the work. Which they are shows by counting.
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

  /** Counts a use. The name to prepare the text under; undefined for one that is asked rarely. */
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

/** The connection as it is, but for statements that are worth preparing. */
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
        // In a transaction nothing can be asked any more; its owner is to hear why.
        throw isAborted(again) ? error : again
      })
    }
  }
  // `never`, for it takes no cursors, and nothing here has any.
  return { query: ask as never, release: (destroy) => client.release(destroy) }
}

/** Another release has added a column meanwhile, and a prepared `select *` cannot answer with it. */
export const isStalePlan = (error: unknown): boolean =>
  hasCode(error, '0A000') && error.message.startsWith('cached plan')

const isAborted = (error: unknown): boolean => hasCode(error, '25P02')

const hasCode = (error: unknown, code: string): error is Error =>
  error instanceof Error && 'code' in error && error.code === code
