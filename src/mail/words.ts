/** The words by which messages are found. Messages and searches are split alike. Pure. */

const LETTERS = 64
const WORDS = 2000
const TEXT = 64 * 1024

/**
 * Each word once, folded in case and form. Only letters, digits and marks, so that it needs no quoting; the words of
 * one message fit into a column.
 */
export function wordsOf(...texts: readonly string[]): readonly string[] {
  const words = new Set<string>()
  for (const text of texts)
    for (const written of wordsIn(text.slice(0, TEXT).toWellFormed())) {
      // Folded alone: the time that it takes grows with the square of the marks in a row.
      for (const word of wordsIn(folded(written))) words.add(word)
      if (words.size >= WORDS) return [...words].slice(0, WORDS)
    }
  return [...words]
}

/** Cut to their length. */
function* wordsIn(text: string): Generator<string> {
  for (const [word] of text.matchAll(/[\p{L}\p{N}\p{M}]+/gu))
    yield Array.from(word.slice(0, 2 * LETTERS))
      .slice(0, LETTERS)
      .join('')
}

/** Compatibility forms may become several words. */
const folded = (word: string): string => word.normalize('NFKC').toLowerCase()
