/**
 * Random sequences of actions on one house: whatever is done, and in whatever order, what is promised
 * of names and their holders holds. A failure tells its seed and the steps up to there:
 *
 *   MAILSTEAD_SEED=7 scripts/node test/run.ts test/journeys/properties.test.ts
 *   MAILSTEAD_SEQUENCE='add 0 acme; delegate-own 0 acme' …
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openEstate } from '../properties/estate.ts'
import { broken } from '../properties/run.ts'
import { readSequence, type Step, sequenceOf, written } from '../properties/sequence.ts'

const { MAILSTEAD_SEED, MAILSTEAD_SEQUENCE } = process.env
const IS_TORTURE = process.env.MAILSTEAD_TORTURE === 'true'
const BUDGET_MS = IS_TORTURE ? 1_200_000 : 12_000
const LENGTH = IS_TORTURE ? 40 : 16

/** Found by this test, and not put right yet: a line goes when its cause does. */
const KNOWN: readonly RegExp[] = []

const estate = await openEstate()
after(() => estate[Symbol.asyncDispose]())

function* sequences(): Generator<[number, Step[]]> {
  if (MAILSTEAD_SEQUENCE) return yield [0, readSequence(MAILSTEAD_SEQUENCE)]
  if (MAILSTEAD_SEED) {
    return yield [Number(MAILSTEAD_SEED), sequenceOf(Number(MAILSTEAD_SEED), LENGTH)]
  }
  const until = Date.now() + BUDGET_MS
  for (let seed = 1; Date.now() < until; seed++) yield [seed, sequenceOf(seed, LENGTH)]
}

test('whatever users, registrars and time do, each name has one holder, and nothing is left of what goes', async (t) => {
  const failures: string[] = []
  for (const [seed, steps] of sequences()) {
    const found = await broken(estate, `r${seed}`, steps)
    const isKnown = (sentence: string) => KNOWN.some((pattern) => pattern.test(sentence))
    for (const sentence of found.filter(isKnown)) t.diagnostic(`known: ${sentence}`)
    const fresh = found.filter((sentence) => !isKnown(sentence))
    if (fresh.length > 0) failures.push(`seed ${seed}: ${written(steps)}`, ...fresh)
    t.diagnostic(`seed ${seed}: ${steps.length} steps`)
  }
  assert.deepEqual([...failures, ...estate.trouble], [])
})
