/** What the answers of the API have in common, said once. */
import assert from 'node:assert/strict'
import type { Answer, Json } from '../client.ts'

export const UNKNOWN_ID = '0190a1b2-c3d4-7e5f-8a6b-123456789abc'

/** An error with this status and this stable code, and a sentence beside it. */
export function refuses(answer: Answer, status: number, error: string): void {
  assert.deepEqual(
    { status: answer.status, error: answer.body?.error },
    { status, error },
    JSON.stringify(answer.body),
  )
  assert.equal(typeof answer.body.detail, 'string')
}

/** A 422 whose only violation is at this place and of this type. */
export function violates(answer: Answer, loc: readonly (string | number)[], type: string): void {
  assert.equal(answer.status, 422, JSON.stringify(answer.body))
  assert.deepEqual(
    answer.body.detail.map((each: Json) => ({ loc: each.loc, type: each.type })),
    [{ loc, type }],
    JSON.stringify(answer.body),
  )
  assert.ok(answer.body.detail[0].msg.length > 0, 'it says why in a sentence')
}

/** Whatever was sent, it was not we who failed. */
export function isNotOurFault(answer: Answer, sent: string): void {
  assert.ok(answer.status < 500, `${sent}: ${answer.status} ${JSON.stringify(answer.body)}`)
}

/** Exactly these fields, none missing and none more. */
export function hasFields(value: Json, fields: string): void {
  assert.deepEqual(Object.keys(value).toSorted(), fields.trim().split(/\s+/).toSorted())
}

/** An instant in ISO 8601 with `Z`. */
export function isInstant(value: Json): void {
  assert.match(String(value), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
}

/** The lines that tell of trouble of our own making. */
export const troubleIn = (logLines: readonly string[]): string[] =>
  logLines.filter((line) => JSON.parse(line).level >= 50)

/** How often each status came. */
export const tally = (answers: readonly Answer[]): Record<number, number> =>
  Object.fromEntries(
    [...Map.groupBy(answers, ({ status }) => status)].map(([status, all]) => [status, all.length]),
  )
